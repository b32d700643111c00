// The run config as text, which may replace the fields, and checkpoints: saved to a file, and continued from one.
import { FalllineError } from "../../../base/errors.ts";
import { programTitle } from "../../../lab/phrases.ts";
import { decodeRunCheckpoint, mustBeSameRun, type RunCheckpoint } from "../../../train/run_checkpoint.ts";
import { type CompleteRunConfig, readRunConfig } from "../../../train/run_config.ts";
import { h } from "../elements.ts";
import { checkShown } from "../fields.ts";
import { download, fileButton } from "../files.ts";
import type { Page } from "../view.ts";
import type { TrainState } from "./train_fields.ts";
import { parseRunConfig, ruleName } from "./train_run.ts";
import type { Attempt } from "./work.ts";

/** What the box asks of its view. */
interface Asked {
  /** The complete run config of the current state. */
  config(): CompleteRunConfig;
  takeFile(file: File): Promise<void>;
  trainFrom(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

export class ConfigBox {
  /** Says that the run config replaces the fields. */
  readonly note: HTMLElement;
  /** A checkpoint that was loaded. */
  readonly imported: HTMLElement;
  readonly element: HTMLDetailsElement;
  readonly #page: Page<TrainState>;
  readonly #asked: Asked;
  readonly #area = h("textarea", {
    ...{ id: "config", rows: 14, spellcheck: "false", "aria-label": "run config as JSON" },
    oninput: () => this.#edit(),
  });
  readonly #wrong = h("p", { class: "wrong", id: "config-wrong", role: "alert" });
  readonly #importedText = h("span", { id: "imported-text", role: "status" });
  readonly #goOn: HTMLButtonElement;
  readonly #save: HTMLButtonElement;
  #latest: RunCheckpoint | null = null;
  #taken: { readonly bytes: Uint8Array<ArrayBuffer>; readonly config: CompleteRunConfig } | null = null;

  constructor(page: Page<TrainState>, asked: Asked, attempt: Attempt) {
    this.#page = page;
    this.#asked = asked;
    const button = (id: string, onclick: () => void, label: string) =>
      h("button", { type: "button", id, onclick }, label);
    this.note = h(
      "p",
      { class: "row", id: "config-note", hidden: true },
      "The run config below replaces the fields. ",
      button("use-fields", () => page.set({ config: "" }), "back to the fields"),
    );
    this.#goOn = button("go-on", () => attempt(() => this.#continue()), "continue from it");
    const take = button("take-config", () => this.#takeConfig(), "use its run config");
    this.imported = h("p", { class: "row", id: "imported", hidden: true }, this.#importedText, this.#goOn, take);
    this.#save = button("save-checkpoint", () => this.#saveCheckpoint(), "save the checkpoint");
    this.#save.disabled = true;
    const load = (file: File) => attempt(() => asked.takeFile(file));
    this.element = h(
      "details",
      { class: "card", id: "config-box", ontoggle: () => this.show(page.state) },
      h("summary", {}, "Run config and checkpoint"),
      this.#area,
      this.#wrong,
      h(
        "div",
        { class: "row" },
        button("save-config", () => attempt(() => this.#saveConfig()), "save the run config"),
        this.#save,
        fileButton("load-file", "load either", ".json,.safetensors", load),
      ),
    );
  }

  /** Shows the run config of the fields, or the one that replaces them. */
  show(state: TrainState): void {
    this.note.hidden = state.config === "";
    if (!this.element.open || document.activeElement === this.#area) return;
    this.#checked(() => {
      this.#area.value = JSON.stringify(this.#asked.config(), null, 2);
    });
  }

  /** @throws OptionError where the box shows a text that is no run config. */
  check(): void {
    if (this.element.open) checkShown(this.element);
  }

  /** The checkpoint to save from now on. */
  keep(checkpoint: RunCheckpoint): void {
    this.#latest = checkpoint;
    this.#save.disabled = false;
  }

  /**
   * Offers to continue from a checkpoint.
   *
   * @throws DataError for bytes that are none; OptionError if it is of another run than that of the fields.
   */
  take(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.#taken = null;
    this.imported.hidden = true;
    const { config, step } = decodeRunCheckpoint(bytes);
    readRunConfig(config);
    this.#taken = { bytes, config };
    this.#importedText.textContent = `${name}: ${programTitle(config)}, ${ruleName(config)}, ${step} of ${config.steps} steps.`;
    this.imported.hidden = false;
    this.#goOn.disabled = false;
    try {
      mustBeSameRun(config, this.#asked.config());
    } catch (error) {
      this.#goOn.disabled = true;
      throw error;
    }
  }

  #edit(): void {
    this.#checked(() => {
      const text = this.#area.value.trim();
      if (text !== "") parseRunConfig(text);
      this.#page.set({ config: text });
    });
  }

  /** Does something and shows what is wrong with the config. */
  #checked(doing: () => void): void {
    try {
      doing();
      this.#wrong.textContent = "";
    } catch (error) {
      if (!(error instanceof FalllineError)) throw error;
      this.#wrong.textContent = error.message;
    }
  }

  async #continue(): Promise<void> {
    if (!this.#taken) return;
    const { bytes, config } = this.#taken;
    mustBeSameRun(config, this.#asked.config());
    await this.#asked.trainFrom(bytes);
  }

  #takeConfig(): void {
    if (!this.#taken) return;
    this.#page.set({ config: JSON.stringify(this.#taken.config) });
    this.#page.warn("");
    this.#goOn.disabled = false;
  }

  #saveConfig(): void {
    download("run.json", `${JSON.stringify(this.#asked.config(), null, 2)}\n`, "application/json");
  }

  #saveCheckpoint(): void {
    const latest = this.#latest;
    if (latest) download(`checkpoint-${latest.step}.safetensors`, latest.bytes, "application/octet-stream");
  }
}
