// Settings of a view: options like those of the lab's experiments, read by the same readers, each with a control. The address and
// the controls of a view both follow from its fields.
import { OptionError } from "../../base/errors.ts";
import { short } from "../../base/short.ts";
import type { LabOption } from "../../lab/experiments/experiment.ts";
import { h } from "./elements.ts";

/** The control of a field: a slider between two values, a choice of words, words to tick, a box for text, or none. */
export type Control =
  | {
      readonly type: "slider";
      readonly from: number;
      readonly to: number;
      readonly log?: boolean;
      readonly step?: number;
    }
  | { readonly type: "select"; readonly names: readonly string[] }
  | { readonly type: "checks"; readonly names: readonly string[] }
  | { readonly type: "box"; readonly wide?: boolean }
  | { readonly type: "none" };

/** An option with its label and its control. */
export interface Field<T = unknown> extends LabOption<T> {
  readonly label: string;
  readonly control: Control;
  /** Whether the field has an effect in a state; if not, it is hidden. */
  readonly acts?: ((state: Readonly<Record<string, unknown>>) => boolean) | undefined;
}

export type Fields = Readonly<Record<string, Field>>;

/** The values of fields. */
export type State<F extends Fields> = { readonly [K in keyof F]: ReturnType<F[K]["read"]> };

/** A field of an option. */
export function field<T>(
  label: string,
  option: LabOption<T>,
  control: Control = { type: "box" },
  acts?: Field["acts"],
): Field<T> {
  return { ...option, label, control, acts };
}

/** A field whose option is a choice of words. */
export function select<T>(label: string, option: LabOption<T>): Field<T> {
  return field(label, option, { type: "select", names: option.allowed.split(", ") });
}

/** The value of a field from its text. @throws OptionError for a text that is not a value. */
export function parse<T>(name: string, option: LabOption<T>, text: string): T {
  const number = (word: string) => (word.trim() === "" ? word : Number.isNaN(Number(word)) ? word : Number(word));
  if (option.kind === "word") return option.read(name, text);
  return option.read(name, option.kind === "number" ? number(text) : text.split(",").map(number));
}

/** A value as text that {@link parse} reads. */
export function print(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** The controls of fields, in their order. */
export interface Controls {
  readonly element: HTMLFormElement;
  /** Shows these values. */
  show(state: Readonly<Record<string, unknown>>): void;
  /** @throws OptionError where a box shows a text that is not its value. */
  check(): void;
}

/** @param onChange Called with a field's new value as soon as it changes, if it is valid. */
export function controlsOf(fields: Fields, onChange: (name: string, value: unknown) => void): Controls {
  const made = Object.entries(fields).flatMap(([name, each]) => {
    const control = controlOf(name, each, (value) => onChange(name, value));
    return control ? [[name, control] as const] : [];
  });
  const element = h(
    "form",
    { class: "controls", onsubmit: (event: Event) => event.preventDefault() },
    ...made.map(([, { element }]) => element),
  );
  return {
    element,
    show(state) {
      for (const [name, control] of made) {
        control.element.hidden = !(fields[name]!.acts?.(state) ?? true);
        control.show(state[name]);
      }
    },
    check: () => checkShown(element),
  };
}

/** @throws OptionError with the first sentence that a part of the page shows on a text that is not a value. */
export function checkShown(part: HTMLElement): void {
  const wrong = [...part.querySelectorAll(".wrong")].find((each) => each.textContent !== "");
  if (wrong) throw new OptionError(wrong.textContent!);
}

interface ControlElement {
  readonly element: HTMLElement;
  show(value: unknown): void;
}

function controlOf(name: string, each: Field, onChange: (value: unknown) => void): ControlElement | undefined {
  switch (each.control.type) {
    case "none":
      return undefined;
    case "select":
      return selectOf(name, each, each.control.names, onChange);
    case "checks":
      return checksOf(name, each, each.control.names, onChange);
    case "slider":
      return sliderOf(name, each, each.control, onChange);
    case "box":
      return boxOf(name, each, onChange, each.control.wide);
  }
}

function selectOf(
  name: string,
  { label, meaning }: Field,
  names: readonly string[],
  onChange: (value: unknown) => void,
) {
  const input = h("select", { name, onchange: () => onChange(input.value) }, ...names.map((each) => new Option(each)));
  return {
    element: h("label", { title: meaning }, label, input),
    show(value: unknown) {
      input.value = String(value);
    },
  };
}

/** Words to tick; the value is the ticked words, separated by commas. The last ticked word cannot be unticked. */
function checksOf(
  name: string,
  { label, meaning }: Field,
  names: readonly string[],
  onChange: (value: unknown) => void,
): ControlElement {
  const ticked = () => boxes.filter(({ checked }) => checked);
  const boxes = names.map((each) => {
    const box = h("input", {
      type: "checkbox",
      name,
      value: each,
      onchange() {
        if (ticked().length === 0) box.checked = true;
        onChange(
          ticked()
            .map(({ value }) => value)
            .join(","),
        );
      },
    });
    return box;
  });
  return {
    element: h(
      "fieldset",
      { class: "checks", title: meaning },
      h("legend", {}, label),
      ...boxes.map((box) => h("label", {}, box, box.value)),
    ),
    show(value) {
      const words = String(value).split(",");
      for (const box of boxes) box.checked = words.includes(box.value);
    },
  };
}

/** A box that reports an invalid value, and changes nothing while it has one. */
function boxOf(name: string, each: Field, onChange: (value: unknown) => void, wide = false): ControlElement {
  const wrong = h("small", { class: "wrong", role: "alert" });
  const input = h("input", {
    type: "text",
    name,
    inputmode: each.kind === "number" ? "decimal" : "text",
    autocomplete: "off",
    spellcheck: "false",
    class: wide ? "wide" : undefined,
    oninput() {
      try {
        const value = parse(each.label, each, input.value);
        wrong.textContent = "";
        input.removeAttribute("aria-invalid");
        onChange(value);
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        wrong.textContent = error.message;
        input.setAttribute("aria-invalid", "true");
      }
    },
  });
  return {
    element: h("label", { title: each.meaning }, each.label, input, wrong),
    show(value) {
      if (document.activeElement === input) return;
      input.value = print(value);
      wrong.textContent = "";
      input.removeAttribute("aria-invalid");
    },
  };
}

/** A slider with a box beside it, which also takes values beyond the slider's ends. */
function sliderOf(
  name: string,
  each: Field,
  { from, to, log = false, step }: Extract<Control, { type: "slider" }>,
  onChange: (value: unknown) => void,
): ControlElement {
  const [toPlace, fromPlace] = log ? [Math.log10, (place: number) => 10 ** place] : [Number, Number];
  const box = boxOf(name, each, (value) => {
    place(value);
    onChange(value);
  });
  const slider = h("input", {
    type: "range",
    min: toPlace(from),
    max: toPlace(to),
    step: log ? 0.005 : (step ?? "any"),
    "aria-label": each.label,
    oninput() {
      const value = Number(short(fromPlace(Number(slider.value))));
      slider.setAttribute("aria-valuetext", short(value));
      box.show(value);
      onChange(value);
    },
  });
  function place(value: unknown): void {
    slider.value = String(toPlace(Number(value)));
    slider.setAttribute("aria-valuetext", short(Number(value)));
  }
  return {
    element: h("div", { class: "slider" }, box.element, slider),
    show(value) {
      box.show(value);
      if (document.activeElement !== slider) place(value);
    },
  };
}
