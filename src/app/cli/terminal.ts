// How a run looks on a terminal while it trains: its bars, and the lines between them.

import { flatConfig } from "../../modifiers/modifier.ts";
import type { CompleteRunConfig } from "../../train/run_config.ts";
import type { TrainOptions } from "../../train/train.ts";
import type { Found } from "./checkpoints.ts";
import { Bars } from "./progress.ts";
import type { Rows } from "./run_file.ts";
import { canDraw } from "./streams.ts";
import { brokenRemedy, curvaturePhrase } from "./train_phrases.ts";

export class Terminal {
  readonly bars = new Bars();
  /** With `--json` stdout is left to run.json. */
  readonly say: (line: string) => void;
  readonly #config: CompleteRunConfig;
  readonly #testRows: number;
  /** Steps made before the run was resumed. */
  readonly #before: number;
  #isBroken: boolean;
  #isTesting = false;
  /** The metric, as the bar shows it. */
  #metric = "";
  #began = 0;
  #ended = 0;

  constructor(config: CompleteRunConfig, data: Rows | undefined, found: Found | null, json: boolean) {
    this.say = (line) => (json ? console.error(line) : console.log(line));
    this.#config = config;
    this.#testRows = data?.test.count ?? 0;
    this.#before = found?.state.step ?? 0;
    this.#isBroken = found?.state.losses.some((loss) => !Number.isFinite(loss)) ?? false;
  }

  /** Says a line while a bar is drawn, which on a terminal has no end of line. */
  readonly sayBetween = (line: string): void => this.say(`${canDraw() ? "\n" : ""}${line}`);

  get trainingSeconds(): number {
    return (this.#ended - this.#began) / 1000;
  }

  /** Starts the bar of training after this many steps. */
  start(step: number): void {
    const form = "loss {loss}  lr {lr}  |g| {norm}{metric}  {rate} steps/s";
    this.bars.start("training", this.#config.steps, form, step);
  }

  listeners(): Pick<TrainOptions, "onStart" | "onStep" | "onCurvature" | "onEvent" | "onTest" | "onMetric"> {
    const { metric, watch, optimizer } = this.#config;
    const { clip, skipNonFinite } = flatConfig(optimizer);
    const measuresNorm = skipNonFinite === true || (clip !== null && clip !== undefined);
    return {
      onStart: () => {
        this.#began = performance.now();
        this.start(this.#before);
      },
      onStep: ({ index, loss, lr, gradientNorm }) => {
        this.#ended = performance.now();
        // A watch reports more than this.
        if (!this.#isBroken && !watch && !Number.isFinite(loss)) {
          this.#isBroken = true;
          this.sayBetween(`the loss is ${loss} at step ${index}; ${brokenRemedy}`);
        }
        this.bars.update(index, {
          loss: loss.toFixed(4),
          lr: lr.toExponential(2),
          norm: measuresNorm ? gradientNorm.toFixed(3) : "-",
          metric: this.#metric,
          rate: ((index - this.#before) / this.trainingSeconds).toFixed(2),
        });
      },
      onCurvature: (point) => this.sayBetween(curvaturePhrase(point)),
      onEvent: ({ message, remedy }) => this.sayBetween(`${message}; ${remedy}`),
      // A test for the metric along the way is shown as the metric.
      ...(metric && metric.type !== "loss" ? {} : { onTest: (rows) => this.#test(rows) }),
      onMetric: ({ value }) => {
        this.#metric = `  ${metric!.type} ${value.toPrecision(4)}`;
      },
    };
  }

  #test(rows: number): void {
    if (!this.#isTesting) this.bars.start("testing", this.#testRows, "examples");
    this.#isTesting = true;
    this.bars.update(rows);
  }
}
