// Uses the network just trained: it reads a drawn digit, and predicts the rows of a table.
import { DataError } from "../../../base/errors.ts";
import { decodeText } from "../../../base/utf8.ts";
import { delimiterOf, readInputTable } from "../../../objectives/data/csv.ts";
import type { Prediction } from "../../../objectives/predictions.ts";
import type { TensorValues } from "../../../optimizer/optimizer.ts";
import { cpuEngine, type Engine } from "../../../train/engine.ts";
import { predict } from "../../../train/predict.ts";
import type { CompleteRunConfig } from "../../../train/run_config.ts";
import { predictedTable } from "../../predicted_table.ts";
import type { RunDataset } from "../../run_dataset.ts";
import { type ImageKind, imageKindOf } from "../drawing.ts";
import { h } from "../elements.ts";
import { download, fileButton } from "../files.ts";
import { Pad } from "../pad.ts";
import type { Attempt } from "./work.ts";

/** A trained network, and a description of its rows. */
export interface Trained {
  readonly model: NonNullable<CompleteRunConfig["model"]>;
  readonly params: TensorValues;
  readonly dataset: RunDataset;
}

/** How many rows of a table are shown; the file has all of them. */
const shownRows = 8;

export class TrainedUse {
  readonly element: HTMLElement;
  readonly #attempt: Attempt;
  readonly #pad: Pad;
  readonly #seen = h("canvas", { class: "seen", role: "img", "aria-label": "the image as the network sees it" });
  readonly #answer = h("p", { id: "answer", role: "status" });
  readonly #bars = h("ol", { class: "bars", id: "bars" });
  readonly #table = h("div", {
    class: "scroll",
    id: "predicted",
    tabindex: 0,
    role: "region",
    "aria-label": "predictions",
  });
  readonly #tableText = h("p", { id: "predicted-text", role: "status" });
  #trained: Trained | null = null;
  /** Why there is no network. */
  #reason = "Train a network on digits, then draw one here.";

  /**
   * @param engine The engine for predicting tables.
   * @param attempt Does the work and shows its errors.
   */
  constructor(engine: () => Promise<Engine>, attempt: Attempt) {
    this.#attempt = attempt;
    this.#pad = new Pad(() => attempt(() => this.#read()));
    const clear = () => {
      this.#pad.clear();
      attempt(() => this.#read());
    };
    this.#table.hidden = true;
    this.element = h(
      "div",
      { class: "pair" },
      h(
        "section",
        { class: "card" },
        h("h2", {}, "Draw a digit"),
        h("div", { class: "drawing" }, this.#pad.element, h("div", {}, this.#answer, this.#bars)),
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", id: "clear-pad", onclick: clear }, "clear"),
          this.#seen,
          fileButton("picture", "or a picture", "image/*", (file) => attempt(() => this.readPicture(file))),
        ),
      ),
      h(
        "section",
        { class: "card" },
        h("h2", {}, "Predict a table"),
        fileButton("predict-file", "a .csv or .tsv file with the network's input columns", ".csv,.tsv", (file) =>
          attempt(async () => this.#predict(file, await engine())),
        ),
        this.#tableText,
        this.#table,
      ),
    );
    this.#seen.hidden = true;
    this.#answer.textContent = this.#reason;
  }

  /** Switches to another network. */
  take(trained: Trained): void {
    this.#trained = trained;
    this.#attempt(() => this.#read(), true);
  }

  /** Forgets the network before, where the one just trained has parameters that are not finite. */
  drop(): void {
    this.#trained = null;
    this.#reason = "The network just trained diverged, so it reads nothing: train again at a lower rate.";
    this.#attempt(() => this.#read(), true);
  }

  /** Puts a picture onto the pad and reads it. */
  async readPicture(file: File): Promise<void> {
    await this.#pad.put(file);
    await this.#read();
  }

  /** The network, if it reads digits; else the reason why it cannot. */
  #reader(): { readonly trained: Trained; readonly kind: ImageKind } | string {
    const trained = this.#trained;
    if (!trained) return this.#reason;
    const kind = imageKindOf(trained.dataset.features);
    if (!kind || trained.dataset.classes !== 10 || trained.dataset.columns) {
      return `The network just trained reads ${trained.dataset.name}, not digits.`;
    }
    return { trained, kind };
  }

  async #read(): Promise<void> {
    const reader = this.#reader();
    const image = typeof reader === "string" ? null : this.#pad.image(reader.kind);
    this.#bars.replaceChildren();
    this.#seen.hidden = true;
    if (typeof reader === "string" || image === null) {
      this.#answer.textContent = typeof reader === "string" ? reader : "The pad is empty: draw a digit from 0 to 9.";
      return;
    }
    const { model, params, dataset } = reader.trained;
    this.#show(image, reader.kind.side);
    const row = image.map((ink) => Math.round(ink / dataset.scale));
    // A single image is read at once, even while the device is busy.
    const [found] = await predict(model, params, [Array.from(row)], {
      engine: cpuEngine(),
      classes: dataset.classes!,
      scale: dataset.scale,
    });
    const { probabilities, class: digit } = found as Prediction & { probabilities: readonly number[] };
    this.#answer.textContent = `It reads a ${digit} with a probability of ${percent(probabilities[digit as number]!)}.`;
    this.#bars.replaceChildren(
      ...probabilities.map((probability, i) => {
        const bar = h("span", { class: "bar" });
        bar.style.width = `${100 * probability}%`;
        return h(
          "li",
          {},
          h("b", {}, String(i)),
          h("span", { class: "track" }, bar),
          h("small", {}, percent(probability)),
        );
      }),
    );
  }

  /** Shows the image that the network reads, pixel by pixel. */
  #show(image: Float32Array, side: number): void {
    this.#seen.width = side;
    this.#seen.height = side;
    const context = this.#seen.getContext("2d")!;
    const pixels = context.createImageData(side, side);
    for (const [i, ink] of image.entries()) {
      const light = 255 * (1 - ink);
      pixels.data.set([light, light, light, 255], 4 * i);
    }
    context.putImageData(pixels, 0, 0);
    this.#seen.hidden = false;
  }

  async #predict(file: File, engine: Engine): Promise<void> {
    this.#table.hidden = true;
    const trained = this.#trained;
    if (!trained) throw new DataError(`${file.name} needs a network: train one first`);
    const { model, params, dataset } = trained;
    const { columns, features, scale, classNames, classes } = dataset;
    const given = decodeText(file.name, await file.arrayBuffer());
    const delimiter = delimiterOf(file.name, given, columns);
    const table = readInputTable(given, columns, { name: file.name, features, delimiter });
    const found = await predict(model, params, table.inputs, {
      engine,
      classes: classNames ?? classes,
      scale,
      columns,
    });
    const { head, cells, text } = predictedTable(table, found, dataset, delimiter);
    const name = `${file.name.replace(/\.[^.]*$/, "")}_predicted${/\.tsv$/i.test(file.name) ? ".tsv" : ".csv"}`;
    this.#tableText.replaceChildren(
      `${found.length.toLocaleString("en")} rows of ${file.name}${found.length > shownRows ? `, the first ${shownRows} of which are` : ""} below. `,
      h(
        "button",
        { type: "button", id: "save-predicted", onclick: () => download(name, text, "text/csv") },
        "save them all",
      ),
    );
    this.#table.replaceChildren(
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h("tr", {}, h("th", { scope: "col" }, "row"), ...head.map((each) => h("th", { scope: "col" }, each))),
        ),
        h(
          "tbody",
          {},
          ...cells
            .slice(0, shownRows)
            .map((row, i) => h("tr", {}, h("th", { scope: "row" }, i + 1), ...row.map((cell) => h("td", {}, cell)))),
        ),
      ),
    );
    this.#table.hidden = false;
  }
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
