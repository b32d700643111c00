// Stochastic weight averaging (Izmailov et al. 2018): the plain mean of parameters along the way.
import swaText from "../../shaders/modifiers/swa.wgsl?raw";
import { file } from "../engines/stages/snippets.ts";
import { defineModifier, type ModifierFunction, type ModifierNotes } from "./modifier.ts";
import { readNumbers } from "./read.ts";

/** The plain mean of parameters along the way, readable as role `"swa"`. */
export const swa = /* @__PURE__ */ defineModifier<
  { readonly start: number; readonly every: number },
  ModifierFunction<{
    /** Updates before the first averaged one; whole, >= 0, default 0. */
    readonly start?: number | undefined;
    /** Updates from one averaged one to the next; whole, >= 1, default 1. */
    readonly every?: number | undefined;
  }>
>({
  name: "swa",
  key: "swa",
  order: 71,
  law: { start: 1 },
  read: (owner, value) =>
    readNumbers(owner, value, {
      start: [0, { min: 0, integer: true }],
      every: [1, { min: 1, integer: true }],
    }),
  effects: ({ start, every }) => ({
    slots: ["swa"],
    columns: ["swa"],
    row(step) {
      const since = step - start;
      return { swa: since >= 0 && since % every === 0 ? 1 / (since / every + 1) : 0 };
    },
    evaluates: (updates) => updates > start,
    hooks: ["update"],
    snippets: [file("modifiers/swa", swaText)],
    twin: {
      update(x, _before, _g, row) {
        if (row.swa! > 0) x.swa! += row.swa! * (x.p - x.swa!);
      },
    },
  }),
});

/** Its entry in docs/rules.md. */
export const swaNotes: ModifierNotes = {
  call: "swa({ start, every })",
  effect:
    'averages the parameters of every few updates, all with the same weight; `optimizer.read("swa")` has the average',
  source: "Izmailov et al. 2018",
  costs: [{ option: "`swa`", examples: [{ swa: {} }], dispatches: 0, state: "4", moved: "8" }],
};
