// Lookahead (Zhang et al. 2019): every few updates the parameters return part of the way to where they were.
import lookaheadText from "../../shaders/modifiers/lookahead.wgsl?raw";
import { file } from "../engines/stages/snippets.ts";
import { defineModifier, type ModifierFunction, type ModifierNotes } from "./modifier.ts";
import { readNumbers } from "./read.ts";

/** Every `every` updates the parameters return to their slow copy, which goes `share` of the way towards them. */
export const lookahead = /* @__PURE__ */ defineModifier<
  { readonly every: number; readonly share: number },
  ModifierFunction<{
    /** Updates from one return to the next; whole, >= 1, default 5. */
    readonly every?: number | undefined;
    /** The share of the way that is kept; in [0, 1], default 0.5. */
    readonly share?: number | undefined;
  }>
>({
  name: "lookahead",
  key: "lookahead",
  order: 60,
  law: { every: 2 },
  read: (owner, value) =>
    readNumbers(owner, value, {
      every: [5, { min: 1, integer: true }],
      share: [0.5, { min: 0, max: 1 }],
    }),
  effects: ({ every, share }) => ({
    slots: ["lookahead"],
    columns: ["lookahead"],
    // Negative: the parameters do not return in this update.
    row: (step) => ({ lookahead: (step + 1) % every === 0 ? share : -1 }),
    evaluates: () => true,
    hooks: ["update"],
    snippets: [file("modifiers/lookahead", lookaheadText)],
    twin: {
      update(x, _before, _g, row) {
        if (row.lookahead! < 0) return;
        x.lookahead! += row.lookahead! * (x.p - x.lookahead!);
        x.p = x.lookahead!;
      },
    },
  }),
});

/** Its entry in docs/rules.md. */
export const lookaheadNotes: ModifierNotes = {
  call: "lookahead({ every, share })",
  effect: "every few updates, returns the parameters to a slow copy that moves a share of the way towards them",
  source: "Zhang et al. 2019",
  costs: [{ option: "`lookahead`", examples: [{ lookahead: {} }], dispatches: 0, state: "4", moved: "8" }],
};
