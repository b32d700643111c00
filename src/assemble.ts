// WGSL by plain concatenation: the structs and the load and store of a rule's cell are generated from its descriptor, the
// rest are the files in shaders/. A source remembers which of its lines came from where, so that a compiler's message
// can name the rule and the line its author wrote.
import chunk from "../shaders/chunk.wgsl?raw";
import control from "../shaders/control.wgsl?raw";
import finalize from "../shaders/finalize.wgsl?raw";
import gradNorm from "../shaders/grad_norm.wgsl?raw";
import partial from "../shaders/partial.wgsl?raw";
import updateDriver from "../shaders/update.wgsl?raw";
import type { Plan } from "./plan.ts";
import { tableColumns } from "./table.ts";

/** A piece of WGSL and what to call it in an error. */
export interface SourcePart {
  readonly name: string;
  readonly text: string;
}

export interface Source {
  /** What the shader is for, as errors and GPU labels call it. */
  readonly name: string;
  readonly code: string;
  readonly parts: readonly SourcePart[];
}

export function assemble(name: string, parts: readonly SourcePart[]): Source {
  return { name, parts, code: parts.map((part) => withNewline(part.text)).join("") };
}

/** The part and the line within it of a line (from 1) of the whole source. */
export function locate(source: Source, line: number): { part: string; line: number } {
  let rest = line;
  for (const part of source.parts) {
    const lines = withNewline(part.text).split("\n").length - 1;
    if (rest <= lines) return { part: part.name, line: rest };
    rest -= lines;
  }
  return { part: source.name, line };
}

/** weightDecay → weight_decay, v → v. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const controlPart: SourcePart = { name: "shaders/control.wgsl", text: control };
const chunkPart: SourcePart = { name: "shaders/chunk.wgsl", text: chunk };
const partialPart: SourcePart = { name: "shaders/partial.wgsl", text: partial };

/** The kernel that sums the squares of each chunk's gradient. */
export const gradNormSource: Source = assemble("gradient norm", [
  chunkPart,
  partialPart,
  { name: "shaders/grad_norm.wgsl", text: gradNorm },
]);

/** The kernel that makes of those sums the norm, the clip scale and the decision to skip. */
export const finalizeSource: Source = assemble("finalize", [
  controlPart,
  partialPart,
  { name: "shaders/finalize.wgsl", text: finalize },
]);

/** The update kernel of a plan's rule: generated structs, the rule's fragment, the driver. */
export function assembleUpdate(plan: Plan): Source {
  const { rule, slots } = plan;
  const fields = (names: readonly string[], type: string) =>
    names.map((name) => `  ${snakeCase(name)}: ${type},\n`).join("");
  const load = ["params[i]", ...rule.slots.map((slot) => (slots.includes(slot) ? slotAt(slots, slot) : "vec4f()"))];
  const store = slots.map((slot) => `  ${slotAt(slots, slot)} = x.${snakeCase(slot)};\n`).join("");
  const header = `struct Cell {
${fields(["p", ...rule.slots], "vec4f")}}

struct Row {
${fields(tableColumns(plan), "f32")}}

@group(0) @binding(0) var<storage, read_write> params: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> state: array<vec4f>;

// vec4s from one slot to the next
override slot_stride: u32;

fn load_cell(i: u32) -> Cell {
  return Cell(${load.join(", ")});
}

fn store_cell(i: u32, x: Cell) {
  params[i] = x.p;
${store}}

fn clear_outside(x: Cell, inside: vec4<bool>) -> Cell {
  return Cell(${["p", ...rule.slots].map((name) => `select(vec4f(), x.${snakeCase(name)}, inside)`).join(", ")});
}
`;
  return assemble(`rule "${rule.name}"`, [
    controlPart,
    chunkPart,
    { name: `the generated header of rule "${rule.name}"`, text: header },
    { name: `the WGSL of rule "${rule.name}"`, text: rule.wgsl },
    { name: "shaders/update.wgsl", text: updateDriver },
  ]);
}

function slotAt(slots: readonly string[], slot: string): string {
  return `state[i + ${slots.indexOf(slot)}u * slot_stride]`;
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
