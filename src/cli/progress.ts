// What commands show while they work: progress bars on stderr, one after the other; plain lines where stderr is no terminal.
import { Presets, SingleBar } from "cli-progress";

export class Bars {
  #bar: SingleBar | undefined;

  start(title: string, total: number, rest: string): void {
    this.stop();
    this.#bar = new SingleBar(
      {
        stream: process.stderr,
        format: `${title} {bar} {value}/{total}  ${rest}  {eta_formatted} left`,
        barsize: 20,
        etaBuffer: 20,
        hideCursor: true,
        noTTYOutput: true,
        notTTYSchedule: 5000,
        gracefulExit: false,
      },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0, { loss: "-", lr: "-", norm: "-", metric: "", rate: "-" });
  }

  update(value: number, fields: Record<string, string> = {}): void {
    this.#bar?.update(value, fields);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
