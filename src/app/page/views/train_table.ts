// The visitor's table: its file, its columns, and which of them the network predicts.
import { DataError } from "../../../base/errors.ts";
import { decodeText } from "../../../base/utf8.ts";
import { h } from "../elements.ts";
import { fileButton } from "../files.ts";
import type { Page } from "../view.ts";
import type { TrainState } from "./train_fields.ts";
import { kinds, modelFor, readTable, type Table, type TableFile } from "./train_run.ts";

/** The size above which the page refuses a table. */
const mostBytes = 64 * 2 ** 20;

export class TableCard {
  readonly element: HTMLElement;
  /** The file of the current table. */
  file: TableFile | null = null;
  readonly #page: Page<TrainState>;
  #table: Table | null = null;
  readonly #target = h("select", { name: "target", onchange: () => this.#page.set({ target: this.#target.value }) });
  readonly #kind = h(
    "select",
    { name: "kind", onchange: () => this.#page.set({ kind: this.#kind.value as TrainState["kind"] }) },
    ...kinds.map((each) => new Option(each)),
  );
  readonly #text = h("p", { id: "table", role: "status" }, "Drop a .csv file anywhere on the page, or choose one.");
  readonly #columns = h(
    "p",
    { class: "row", hidden: true },
    h("label", {}, "column to predict", this.#target),
    h("label", {}, "as", this.#kind),
  );

  /** @param takeFile Takes a file that is chosen here. */
  constructor(page: Page<TrainState>, takeFile: (file: File) => void) {
    this.#page = page;
    const choose = fileButton("table-file", "a .csv or .tsv file", ".csv,.tsv,.txt", takeFile);
    this.element = h(
      "section",
      { class: "card", id: "table-card", hidden: true },
      h("h2", {}, "The table"),
      this.#text,
      h("div", { class: "row" }, choose, this.#columns),
    );
  }

  /** The table as the fields read it; null if there is none. */
  get table(): Table | null {
    return this.#table;
  }

  /**
   * Takes a file in place of the current one.
   *
   * @throws DataError or OptionError for a file that cannot be read; the table stays as it was then.
   */
  async take(given: File): Promise<void> {
    const { name, size } = given;
    if (size > mostBytes)
      throw new DataError(`${name} has ${size} bytes; a table on this page may have at most ${mostBytes}`);
    const next = { name, text: decodeText(name, await given.arrayBuffer()) };
    readTable(next, "", "auto");
    this.file = next;
    this.#page.set({ data: "table", target: "", kind: "auto" });
    this.open(this.#page.state);
    this.fitModel();
  }

  /** Reads the current table as set by the fields, and shows its columns. */
  open({ target, kind }: TrainState): void {
    this.#table = null;
    if (!this.file) return;
    this.#table = readTable(this.file, target, kind);
    const { data, columns, target: predicted } = this.#table;
    const what = data.labels ? `${data.classes} classes` : "numbers";
    this.#text.textContent = `${this.file.name}: ${data.count.toLocaleString("en")} rows of ${data.features} inputs; ${predicted} holds ${what}. A fifth of the rows is for testing.`;
    this.#target.replaceChildren(...columns.map((each) => new Option(each)));
    this.#target.value = predicted;
    this.#kind.value = kind;
    this.#columns.hidden = false;
  }

  /** Adapts the widths of the network, and the batch, to the data where they do not fit. */
  fitModel(): void {
    const { data, batch, model } = this.#page.state;
    const table = this.#table;
    const rows = table && data === "table" ? Math.floor(0.8 * table.data.count) : Number.POSITIVE_INFINITY;
    const fitting = modelFor(data, table);
    const ends = (widths: string) => widths.replace(/-.*-/, "-");
    this.#page.set({
      model: ends(model) === ends(fitting) ? model : fitting,
      batch: Math.max(1, Math.min(batch, rows)),
    });
  }
}
