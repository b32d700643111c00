// How kernels reach the state: four float32 at a time, or word by word where slots are in other formats.
import stateVec4 from "../../../shaders/state_vec4.wgsl?raw";
import stateWords from "../../../shaders/state_words.wgsl?raw";
import type { Snippet } from "../../base/assemble.ts";
import type { RuleSetLayout } from "../../optimizer/layout.ts";
import { file } from "./snippets.ts";
import type { Binding } from "./stage.ts";

const vec4State = /* @__PURE__ */ file("state_vec4", stateVec4);

/** For formats other than float32. */
export const wordState = /* @__PURE__ */ file("state_words", stateWords);

/** Whether every slot is float32. */
export const isVec4State = ({ formats }: RuleSetLayout) => [...formats.values()].every(({ snippets }) => !snippets);

/** Words of an entry of the state. */
export const stateEntry = (layout: RuleSetLayout) => (isVec4State(layout) ? 4 : 1);

export function stateBinding(layout: RuleSetLayout): Binding {
  return { name: "state", use: "write", type: isVec4State(layout) ? "array<vec4f>" : "array<u32>" };
}

/** Access to the state, with the loads and stores of its formats. */
export function stateSnippets({ formats }: RuleSetLayout): readonly Snippet[] {
  const others = [...new Set(formats.values())].flatMap(({ snippets }) => snippets ?? []);
  return others.length > 0 ? [others[0]!.state, ...others.map(({ access }) => access)] : [vec4State];
}
