// The blocks of a schedule as cards: their order, set by buttons or by dragging, their lengths and their options.
import { OptionError } from "../../../base/errors.ts";
import { isOptions } from "../../../base/options.ts";
import { scheduleDefinitions } from "../../../schedules/index.ts";
import type { ScheduleOption } from "../../../schedules/schedule.ts";
import { h } from "../elements.ts";
import { type Block, create, mostSteps } from "./schedule_blocks.ts";

/** The blocks that the cards show. */
export interface BlockList {
  current(): readonly Block[];
  set(blocks: readonly Block[]): void;
  /** Shows why a change was refused. */
  warn(text: string): void;
}

export class BlockCards {
  readonly element = h("ol", { class: "cards blocks" });
  readonly #list: BlockList;
  #dragged: number | undefined;
  /** The blocks on the cards, as text. */
  #shown = "";

  constructor(list: BlockList) {
    this.#list = list;
  }

  /** Shows other blocks; not while somebody types into a card. */
  show(blocks: readonly Block[], text: string): void {
    const { activeElement } = document;
    const isTyping = this.element.contains(activeElement) && activeElement instanceof HTMLInputElement;
    if (text === this.#shown || isTyping) return;
    this.#shown = text;
    this.element.replaceChildren(...blocks.map((block, i) => this.#cardOf(block, i)));
  }

  #move(from: number, to: number): void {
    const blocks = [...this.#list.current()];
    if (to < 0 || to >= blocks.length || from === to) return;
    blocks.splice(to, 0, ...blocks.splice(from, 1));
    this.#list.set(blocks);
    this.element.children[to]?.querySelector<HTMLElement>("button")?.focus();
  }

  #remove(index: number): void {
    const blocks = this.#list.current();
    if (blocks.length > 1) this.#list.set(blocks.filter((_, i) => i !== index));
    else this.#list.warn("there must be at least one block");
  }

  #replace(index: number, next: Partial<Block>): void {
    this.#list.set(this.#list.current().map((each, i) => (i === index ? { ...each, ...next } : each)));
  }

  #cardOf({ schedule, steps }: Block, index: number): HTMLElement {
    const type = isOptions(schedule) ? String(schedule.type) : "a constant";
    const definition = scheduleDefinitions.find((each) => each.type === type);
    const button = (text: string, label: string, onclick: () => void) =>
      h("button", { type: "button", onclick, "aria-label": label }, text);
    return h(
      "li",
      {
        class: `card run run-${index}`,
        draggable: "true",
        ondragstart: () => {
          this.#dragged = index;
        },
        ondragover: (event: DragEvent) => event.preventDefault(),
        ondrop: (event: DragEvent) => {
          event.preventDefault();
          if (this.#dragged !== undefined) this.#move(this.#dragged, index);
          this.#dragged = undefined;
        },
      },
      h(
        "div",
        { class: "row" },
        h("h2", {}, h("span", { class: "swatch" }), type),
        button("←", `move block ${index + 1} to the left`, () => this.#move(index, index - 1)),
        button("→", `move block ${index + 1} to the right`, () => this.#move(index, index + 1)),
        button("×", `remove block ${index + 1}`, () => this.#remove(index)),
      ),
      optionBox("length in steps", String(steps), (text) => this.#replace(index, { steps: stepsOf(text) })),
      ...(definition?.options ?? []).map((option) =>
        ownOption(option, schedule as Record<string, unknown>, (next) => this.#replace(index, { schedule: next })),
      ),
    );
  }
}

function stepsOf(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= mostSteps) return value;
  throw new OptionError(`steps is ${text || "missing"}; it must be a whole number from 1 to ${mostSteps}`);
}

/** A box for an option of a schedule: JSON, or a word. */
function ownOption(
  { name, allowed, default: standard }: ScheduleOption,
  schedule: Readonly<Record<string, unknown>>,
  onChange: (schedule: unknown) => void,
): HTMLElement {
  const value = schedule[name];
  const shown = value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
  return optionBox(
    name,
    shown,
    (text) => {
      const { [name]: _, ...rest } = schedule;
      const next = text.trim() === "" ? rest : { ...rest, [name]: jsonOf(text) };
      create(next, String(schedule.type));
      onChange(next);
    },
    { title: allowed, placeholder: standard === undefined ? "" : String(standard) },
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function optionBox(
  name: string,
  value: string,
  onInput: (text: string) => void,
  { title = "", placeholder = "" }: { readonly title?: string; readonly placeholder?: string } = {},
): HTMLElement {
  const wrong = h("small", { class: "wrong", role: "alert" });
  const input = h("input", {
    type: "text",
    value,
    placeholder,
    autocomplete: "off",
    spellcheck: "false",
    oninput() {
      try {
        onInput(input.value);
        wrong.textContent = "";
        input.removeAttribute("aria-invalid");
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        wrong.textContent = error.message;
        input.setAttribute("aria-invalid", "true");
      }
    },
  });
  return h("label", { title }, name, input, wrong);
}
