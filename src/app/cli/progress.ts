// The progress of commands: bars on stderr, one after the other; plain lines where stderr is no terminal or one that cannot be
// drawn on.
import { Writable } from "node:stream";
import { Presets, SingleBar } from "cli-progress";
import { canDraw } from "./streams.ts";

export class Bars {
  #bar: SingleBar | undefined;

  start(title: string, total: number, rest: string, from = 0): void {
    this.stop();
    this.#bar = new SingleBar(
      {
        stream: canDraw() ? process.stderr : plainStderr(),
        format: `${title} {bar} {value}/{total}  ${rest}  {eta_formatted} left`,
        barsize: 20,
        etaBuffer: 20,
        hideCursor: true,
        noTTYOutput: true,
        notTTYSchedule: 2000,
        gracefulExit: false,
      },
      Presets.shades_classic,
    );
    this.#bar.start(total, from, { loss: "-", lr: "-", norm: "-", metric: "", rate: "-" });
  }

  update(value: number, fields: Record<string, string> = {}): void {
    this.#bar?.update(value, fields);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** stderr as a stream that is not a terminal. */
function plainStderr(): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      process.stderr.write(chunk);
      done();
    },
  });
}
