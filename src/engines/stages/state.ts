// How kernels reach the state: four float32 at a time, or word by word where slots are in other formats.
import stateVec4 from "../../../shaders/state_vec4.wgsl?raw";
import stateWords from "../../../shaders/state_words.wgsl?raw";
import type { SourcePart } from "../../base/assemble.ts";
import type { PartLayout } from "../../optimizer/layout.ts";
import { file } from "./snippets.ts";
import type { Binding } from "./stage.ts";

const vec4State = file("state_vec4", stateVec4);

/** For formats other than float32. */
export const wordState = file("state_words", stateWords);

/** Whether every slot is float32. */
export const isVec4State = ({ formats }: PartLayout) => [...formats.values()].every(({ parts }) => !parts);

/** Words of an entry of the state. */
export const stateEntry = (layout: PartLayout) => (isVec4State(layout) ? 4 : 1);

export function stateBinding(layout: PartLayout): Binding {
  return { name: "state", use: "write", type: isVec4State(layout) ? "array<vec4f>" : "array<u32>" };
}

/** What reaches the state, and what loads and stores its formats. */
export function stateParts({ formats }: PartLayout): readonly SourcePart[] {
  const others = [...new Set(formats.values())].flatMap(({ parts }) => parts ?? []);
  return others.length > 0 ? [others[0]!.state, ...others.map(({ access }) => access)] : [vec4State];
}
