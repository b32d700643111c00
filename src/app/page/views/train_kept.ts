// Offers to continue the unfinished run that the browser keeps, or to forget it.
import { h } from "../elements.ts";
import { forgetRun, type KeptRun, keptRun } from "../kept_run.ts";
import { messageOf } from "./work.ts";

export class KeptBox {
  readonly #text = h("span", { id: "kept-run", role: "status" });
  readonly #goOn = h("button", { type: "button", id: "continue" }, "continue the last run");
  readonly #forget = h("button", { type: "button", id: "forget" }, "forget it");
  readonly element = h("p", { class: "row", id: "kept", hidden: true }, this.#text, this.#goOn, this.#forget);
  /** Disabled while something runs. */
  readonly buttons = [this.#goOn, this.#forget];

  /** @param goOn Continues a run. */
  constructor(goOn: (kept: KeptRun) => Promise<void>) {
    this.#goOn.onclick = async () => {
      const kept = await keptRun();
      await (kept ? goOn(kept) : this.offer());
    };
    this.#forget.onclick = async () => {
      await forgetRun();
      await this.offer();
    };
  }

  /** Offers the kept run, if there is one, or shows why none can be kept. */
  async offer(): Promise<void> {
    try {
      const kept = await keptRun();
      this.element.hidden = kept === null;
      if (!kept) return;
      this.#text.textContent = `The last run is unfinished: ${kept.title}, ${kept.step} of ${kept.steps} steps.`;
    } catch (error) {
      this.element.hidden = false;
      this.#text.textContent = `This browser cannot save runs: ${messageOf(error)}`;
      for (const button of this.buttons) button.hidden = true;
    }
  }
}
