// Many runs as small pictures side by side, on one scale: running, stopped, and the best; a click selects one.
import { short } from "../../../base/short.ts";
import { smooth } from "../../../lab/chart.ts";
import type { Entrant } from "../../../lab/race.ts";
import { h, svg } from "../elements.ts";

const [width, height] = [120, 60];
export class Multiples {
  readonly element = h("div", { class: "multiples" });
  readonly #steps: number;
  readonly #take: (index: number) => void;

  /** @param steps Steps of a whole run. @param take Called with the index of a clicked run. */
  constructor(steps: number, take: (index: number) => void) {
    this.#steps = steps;
    this.#take = take;
  }

  /** Draws the runs' current state. */
  draw(entrants: readonly Entrant[], best: number | null): void {
    const start = Math.max(...entrants.map(({ losses }) => losses[0] ?? 0).filter(Number.isFinite), 1e-9);
    this.element.replaceChildren(
      ...entrants.map((entrant, index) => this.#picture(entrant, index, start, index === best)),
    );
  }

  #picture({ trial, losses, score, stopped, verdict }: Entrant, index: number, start: number, isBest: boolean) {
    const end = losses.findIndex((loss) => !Number.isFinite(loss));
    const curve = smooth(end < 0 ? losses : losses.slice(0, end));
    const points = curve.map((loss, i) => {
      const x = ((i + 1) / this.#steps) * width;
      // A loss far above its start leaves the picture.
      const y = height - 2 - Math.min(1.1, loss / (1.25 * start)) * (height - 4);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    const rate = typeof trial.lr === "number" ? short(trial.lr) : "?";
    const state = isBest ? "best" : stopped || end >= 0 ? "stopped" : "running";
    const said = Number.isFinite(score) ? short(score) : "not finite";
    return h(
      "button",
      {
        type: "button",
        class: "multiple",
        "data-state": state,
        title: `use this rate: ${verdict.state}`,
        onclick: () => this.#take(index),
      },
      svg(
        "svg",
        { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
        svg("polyline", { class: "stamp", points: points.join(" ") }),
      ),
      h("span", {}, `lr ${rate}`),
      h("small", {}, isBest ? `best, ${said}` : stopped ? `stopped, ${said}` : said),
    );
  }
}
