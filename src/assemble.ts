// WGSL by plain concatenation: the structs of a rule, what loads and stores them and what stands around the rule are
// generated from its descriptor and the plan, the rest are the files in shaders/. A source remembers which of its lines
// came from where, so that a compiler's message can name the rule and the line its author wrote.
import accumulate from "../shaders/accumulate.wgsl?raw";
import chunk from "../shaders/chunk.wgsl?raw";
import conclude from "../shaders/conclude.wgsl?raw";
import control from "../shaders/control.wgsl?raw";
import factor from "../shaders/factor.wgsl?raw";
import finalize from "../shaders/finalize.wgsl?raw";
import gradNorm from "../shaders/grad_norm.wgsl?raw";
import lines from "../shaders/lines.wgsl?raw";
import measure from "../shaders/measure.wgsl?raw";
import newtonSchulz from "../shaders/newton_schulz.wgsl?raw";
import noWatch from "../shaders/no_watch.wgsl?raw";
import partial from "../shaders/partial.wgsl?raw";
import prepare from "../shaders/prepare.wgsl?raw";
import sizes from "../shaders/sizes.wgsl?raw";
import tableSlots from "../shaders/table.wgsl?raw";
import unitClip from "../shaders/unit_clip.wgsl?raw";
import updateDriver from "../shaders/update.wgsl?raw";
import watch from "../shaders/watch.wgsl?raw";
import { keptShare, type PartLayout } from "./layout.ts";
import { needsNorm, type Part, type Plan } from "./plan.ts";
import { firstColumns, tableColumns } from "./table.ts";

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

/**
 * How kernels reach parameters and gradients: four elements at once in the arenas and in buffers of the caller that allow
 * it, else one by one.
 */
export type Access = "vec4" | "scalar";

/** What the kernels of one part are assembled from. */
export interface PartSources {
  readonly plan: Plan;
  readonly part: Part;
  readonly layout: PartLayout;
  readonly access: Access;
}

/** The sums that a part's update needs, in the order in which they are taken. */
export type Phase = "rule" | "cautious";

export function phasesOf({ cautious }: Plan, { rule }: Part): readonly Phase[] {
  return [...(rule.reduction ? (["rule"] as const) : []), ...(cautious ? (["cautious"] as const) : [])];
}

const partialPart: SourcePart = { name: "shaders/partial.wgsl", text: partial };
const chunkPart: SourcePart = { name: "shaders/chunk.wgsl", text: chunk };
const sizesPart: SourcePart = { name: "shaders/sizes.wgsl", text: sizes };
const controlPart: SourcePart = { name: "shaders/control.wgsl", text: control };
const tablePart: SourcePart = { name: "shaders/table.wgsl", text: tableSlots };

/** The kernel that sums the squares of each chunk's gradient. */
export function assembleNorm(sources: PartSources): Source {
  return assemble("gradient norm", [
    sizesPart,
    controlPart,
    tablePart,
    chunkPart,
    generated(sources, rowText(sources, ["gradients", "chunks", "table", "control", "sizes"], 1, firstColumns)),
    partialPart,
    { name: "shaders/grad_norm.wgsl", text: gradNorm },
  ]);
}

/** The kernel that makes of those sums the norm, the scales and the decision to skip. */
export const finalizeSource: Source = assemble("finalize", [
  sizesPart,
  controlPart,
  tablePart,
  partialPart,
  { name: "shaders/finalize.wgsl", text: finalize },
]);

/** The update kernel of a part's rule: generated structs, the rule's fragment, the driver. */
export function assembleUpdate(sources: PartSources): Source {
  return assemble(ruleName(sources), [
    sizesPart,
    controlPart,
    tablePart,
    chunkPart,
    generated(sources, cellText(sources)),
    rulePart(sources),
    generated(sources, `${advanceText(sources)}${notedText(sources)}`),
    sources.plan.watch ? { name: "shaders/watch.wgsl", text: watch } : { name: "shaders/no_watch.wgsl", text: noWatch },
    { name: "shaders/update.wgsl", text: updateDriver },
  ]);
}

/** The kernel that takes a phase's sums chunk by chunk. */
export function assembleMeasure(sources: PartSources, phase: Phase): Source {
  return assemble(`${ruleName(sources)}, ${phase === "rule" ? "measure" : "measure of caution"}`, [
    sizesPart,
    controlPart,
    tablePart,
    chunkPart,
    generated(sources, cellText(sources)),
    rulePart(sources),
    generated(sources, `${sumText(sources, phase)}${termsText(sources, phase)}`),
    { name: "shaders/measure.wgsl", text: measure },
  ]);
}

/** The kernel that makes scalars of those sums; that of caution knows nothing of the rule. */
export function assembleConclude(sources: PartSources, phase: Phase): Source {
  const bindings = ["control", "table", "sizes"] as const;
  const made = generated(sources, `${sumText(sources, phase)}${concludedText(sources, phase)}`);
  const driver: SourcePart = { name: "shaders/conclude.wgsl", text: conclude };
  if (phase === "cautious") {
    const header = `${rowText(sources, bindings, 1, firstColumns)}${scalarsBinding(5)}`;
    return assemble("conclude of caution", [
      sizesPart,
      controlPart,
      tablePart,
      generated(sources, header),
      made,
      driver,
    ]);
  }
  const header = `${structsText(sources)}${rowText(sources, bindings, 1)}${scalarsText(sources, 5)}`;
  const parts = [sizesPart, controlPart, tablePart, generated(sources, header), rulePart(sources), made, driver];
  return assemble(`${ruleName(sources)}, conclude`, parts);
}

/** The kernel of a factored slot's means, or of adaptive clipping's units. */
export function assembleLines(sources: PartSources, what: "factor" | "unitClip"): Source {
  const { factored } = sources.part.rule;
  const weight = factored ? `fn factor_weight(h: Row) -> f32 {\n  return h.${snakeCase(factored.weight)};\n}\n` : "";
  const bindings = ["params", "gradients", "state", "tasks", "table", "control", "sizes"] as const;
  const row = rowText(sources, bindings, 0, what === "factor" ? undefined : firstColumns);
  return assemble(what === "factor" ? `${ruleName(sources)}, means` : "adaptive clipping", [
    sizesPart,
    controlPart,
    tablePart,
    generated(sources, `${row}${elementText(sources, what)}${what === "factor" ? weight : ""}`),
    { name: "shaders/lines.wgsl", text: lines },
    what === "factor"
      ? { name: "shaders/factor.wgsl", text: factor }
      : { name: "shaders/unit_clip.wgsl", text: unitClip },
  ]);
}

/** The kernel that adds gradients up. */
export function assembleAccumulate(access: Access): Source {
  const header = `override workgroup_size: u32;
@group(0) @binding(0) var<storage, read_write> sums: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradients: array<${access === "vec4" ? "vec4f" : "f32"}>;
@group(0) @binding(2) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(3) var<uniform> sizes: Sizes;
${loadText("gradients", access)}`;
  return assemble("accumulate", [
    sizesPart,
    controlPart,
    chunkPart,
    { name: "the generated header of accumulate", text: header },
    { name: "shaders/accumulate.wgsl", text: accumulate },
  ]);
}

/** The kernel that writes the matrices which are to be made orthogonal. */
export function assemblePrepare(sources: PartSources): Source {
  return assemble(`${ruleName(sources)}, prepare`, [
    sizesPart,
    controlPart,
    tablePart,
    chunkPart,
    generated(sources, cellText(sources)),
    rulePart(sources),
    { name: "shaders/prepare.wgsl", text: prepare },
  ]);
}

/** One product of the Newton–Schulz iteration. */
export const newtonSchulzSource: Source = assemble("Newton–Schulz", [
  { name: "shaders/newton_schulz.wgsl", text: newtonSchulz },
]);

function ruleName({ part }: PartSources): string {
  return `rule "${part.rule.name}"`;
}

function rulePart({ part }: PartSources): SourcePart {
  return { name: `the WGSL of rule "${part.rule.name}"`, text: part.rule.wgsl };
}

function generated({ part }: PartSources, text: string): SourcePart {
  return { name: `the generated header of rule "${part.rule.name}"`, text };
}

function struct(name: string, fields: readonly string[], type: string): string {
  return `struct ${name} {\n${fields.map((field) => `  ${snakeCase(field)}: ${type},\n`).join("")}}\n`;
}

const declarations = {
  params: (access: Access) => `var<storage, read_write> params: array<${access === "vec4" ? "vec4f" : "f32"}>`,
  gradients: (access: Access) => `var<storage, read> gradients: array<${access === "vec4" ? "vec4f" : "f32"}>`,
  state: () => "var<storage, read_write> state: array<vec4f>",
  chunks: () => "var<storage, read> chunks: array<Chunk>",
  table: () => "var<storage, read> table: array<u32>",
  control: () => "var<storage, read_write> control: array<Control>",
  sizes: () => "var<uniform> sizes: Sizes",
  // shaders/lines.wgsl declares its own
  tasks: () => "",
};

/**
 * Row, the table, how its row is found, and the bindings that a kernel of it has. What is the same for every rule reads only
 * the columns that rows of all rules begin with, and so is compiled once for all of them.
 */
function rowText(
  { plan, part, access }: PartSources,
  bindings: readonly (keyof typeof declarations)[],
  first = 0,
  columns: readonly string[] = tableColumns(plan, part),
): string {
  const declared = bindings
    .map((name, i) => [declarations[name](access), i + first] as const)
    .filter(([text]) => text !== "")
    .map(([text, binding]) => `@group(0) @binding(${binding}) ${text};\n`)
    .join("");
  return `${struct("Row", columns, "f32")}${declared}override workgroup_size: u32;
// Emulated GPUs spend longer on barriers than on the work between them: there every lane stands for itself.
override barriers: bool;

// Of a step whose rows are not there, some other step's: what rests looks at none.
fn row_of(replica: u32, group: u32) -> Row {
  let step = atomicLoad(&control[replica * sizes.clip_bins].step);
  let at = slot_of(replica, step) + sizes.row_offset + group * sizes.column_count;
  return Row(${columns.map((_, i) => `bitcast<f32>(table[at + ${i}u])`).join(", ")});
}
${bindings.includes("gradients") && !bindings.includes("tasks") ? loadText("gradients", access) : ""}`;
}

/**
 * Loading four elements of an arena or of a caller's buffer: those from the e-th on of a chunk that begins at `first`, in
 * entries of the array. What an entry holds is said once, beside the gradients that every kernel of chunks reads.
 */
function loadText(name: "params" | "gradients", access: Access): string {
  const body =
    access === "vec4"
      ? `${name}[first + e / 4u]`
      : `select(vec4f(), vec4f(${[0, 1, 2, 3].map((k) => `${name}[first + select(e, e + ${k}u, inside[${k}])]`).join(", ")}), inside)`;
  const entry = name === "gradients" ? `const entry_length = ${access === "vec4" ? 4 : 1}u;\n` : "";
  return `${entry}fn load_${name}(first: u32, e: u32, inside: vec4<bool>) -> vec4f {\n  return ${body};\n}\n`;
}

/** Single elements of a tensor, for kernels that go along lines: `t` is the element's place in it. */
function elementText({ plan, access }: PartSources, what: "factor" | "unitClip"): string {
  const at = (name: string) => (access === "vec4" ? `${name}[i / 4u][i % 4u]` : `${name}[i]`);
  // The means of a factored slot are of the gradient as the rule sees it; the units' scales are what clips it.
  const clip = what === "factor" ? plan.clip?.type : undefined;
  const unit =
    "let u = task.units + t % task.unit_columns;\n  let s = state[u / 4u][u % 4u];\n  return select(s * g, -s * (g * 0x1p-80f), s < 0.0);";
  const clipped = clip === "value" ? `return ${clampedText(plan, "f32")};` : clip === "adaptive" ? unit : "return g;";
  return `${scaleText(plan)}fn gradient_at(task: Lines, t: u32, scale: vec2f, h: Row) -> f32 {
  let i = task.gradients + t;
  let g = ${scaledText(plan, at("gradients"))};
  ${clipped}
}
fn param_at(task: Lines, t: u32) -> f32 {
  let i = task.params + t;
  return ${at("params")};
}
`;
}

/** What fragments may call: the built-in functions may lose what is NaN, or tell it by a comparison that is optimised away. */
const nanText = `
fn nan_in(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn signs_of(x: vec4f) -> vec4f {
  return select(sign(x), x, nan_in(x));
}

fn at_least(x: vec4f, least: f32) -> vec4f {
  return select(max(x, vec4f(least)), x, nan_in(x));
}

`;

/** Cell, and with scalars their struct; of rules that reduce also what their functions take and give. */
function structsText({ part, layout }: PartSources): string {
  const { rule } = part;
  const { reduction } = rule;
  const around = part.slots.filter((slot) => !rule.slots.includes(slot));
  const scalars = [...(rule.factored ? ["factored"] : []), ...ownScalars(layout).map(({ name }) => name)];
  const sums = reduction
    ? `${struct("Sums", reduction.sums, "vec4f")}${struct("Totals", ["count", ...reduction.sums], "f32")}`
    : "";
  return `${struct("Cell", ["p", ...rule.slots, ...around], "vec4f")}${
    scalars.length > 0 ? struct("Scalars", scalars, "f32") : "struct Scalars {\n  none: f32,\n}\n"
  }${sums}${nanText}`;
}

/** Everything about one element with its slots. */
function cellText(sources: PartSources): string {
  const { plan, part, layout, access } = sources;
  const { rule } = part;
  const around = part.slots.filter((slot) => !rule.slots.includes(slot));
  const all = [...rule.slots, ...around];
  const factoredSlot = rule.factored?.slot;
  const load = all.map((slot) => {
    if (!part.slots.includes(slot)) return "vec4f()";
    const stored = slot === factoredSlot ? "load_factored(chunk, e, h)" : `state[${stateAt(sources, slot)}]`;
    const start = around.includes(slot) ? "p" : rule.starts?.[slot];
    if (start === undefined) return stored;
    const value =
      start === "p" ? "p" : typeof start === "number" ? `vec4f(${floating(start)})` : `vec4f(h.${snakeCase(start)})`;
    return `select(${stored}, ${value}, h.first != 0.0)`;
  });
  const store = part.slots.map((slot) => {
    if (slot !== factoredSlot) return `  state[${stateAt(sources, slot)}] = y.${snakeCase(slot)};\n`;
    return `  if (chunk.rows == 0u) {
    state[(chunk.factored + e) / 4u] = y.${snakeCase(slot)};
  }\n`;
  });
  const keep = ["p", ...all].map((field) => `select(x.${snakeCase(field)}, y.${snakeCase(field)}, inside)`).join(", ");
  const each = (to: (k: number) => string) =>
    [0, 1, 2, 3].map((k) => `  if (inside[${k}]) {\n    ${to(k)} = y.p[${k}];\n  }\n`).join("");
  const storeTail =
    access === "scalar"
      ? each((k) => `params[chunk.params + e + ${k}u]`)
      : `  let to = chunk.params + e / 4u;\n${each((k) => `params[to][${k}]`)}`;
  const storeWhole =
    access === "scalar"
      ? [0, 1, 2, 3].map((k) => `  params[chunk.params + e + ${k}u] = y.p[${k}];\n`).join("")
      : "  params[chunk.params + e / 4u] = y.p;\n";
  const { clip } = plan;
  const clipped =
    clip?.type === "value"
      ? clampedText(plan, "vec4f")
      : clip?.type === "adaptive"
        ? "unit_clipped(g, unit_scales(chunk, e))"
        : "g";
  return `${structsText(sources)}${rowText(sources, ["params", "gradients", "state", "chunks", "table", "control", "sizes"])}${loadText("params", access)}${
    layout.scalars.length > 0 ? scalarsText(sources, 7) : noScalarsText
  }${rule.factored ? factoredText(sources) : beginNothing}${clip?.type === "adaptive" ? unitsText : ""}
fn load_cell(chunk: Chunk, e: u32, inside: vec4<bool>, h: Row) -> Cell {
  let p = load_params(chunk.params, e, inside);
  let at = chunk.state + e / 4u;
  return Cell(${["p", ...load].join(", ")});
}

fn store_slots(chunk: Chunk, e: u32, y: Cell) {
  let at = chunk.state + e / 4u;
${store.join("")}}

fn store_cell(chunk: Chunk, e: u32, y: Cell) {
${storeWhole}  store_slots(chunk, e, y);
}

// What lies behind a tensor stays as it was: padding is zero, and in a caller's buffer it is the caller's.
fn store_tail(chunk: Chunk, e: u32, inside: vec4<bool>, x: Cell, y: Cell) {
${storeTail}  store_slots(chunk, e, Cell(${keep}));
}

${scaleText(plan)}
// The gradient as the rule sees it: signed, unscaled, clipped.
fn gradient_of(chunk: Chunk, e: u32, inside: vec4<bool>, scale: vec2f, h: Row) -> vec4f {
  let g = ${scaledText(plan, "load_gradients(chunk.gradients, e, inside)")};
  return ${clipped};
}
`;
}

/** What gradients are multiplied by: two factors where there is a norm, since one alone may be less than float32 holds. */
function scaleText(plan: Plan): string {
  const shrink = needsNorm(plan) ? "control[record].shrink" : "1.0";
  return `fn scale_of(record: u32, h: Row) -> vec2f {
  return vec2f(h.gradient_scale * control[record].scale, ${shrink});
}
`;
}

function scaledText(plan: Plan, loaded: string): string {
  return needsNorm(plan) ? `scale.x * (scale.y * ${loaded})` : `scale.x * ${loaded}`;
}

/** The gradient `g` within a value; what is NaN stays that, where it is not skipped, which a clamp alone would lose. */
function clampedText(plan: Plan, type: "f32" | "vec4f"): string {
  const clamped = `clamp(g, ${type}(-h.clip_value), ${type}(h.clip_value))`;
  if (plan.skipNonFinite) return clamped;
  // The kernel of single elements is not a rule's, and has none of its functions.
  const isNan = type === "f32" ? "(bitcast<u32>(g) & 0x7fffffffu) > 0x7f800000u" : "nan_in(g)";
  return `select(${clamped}, g, ${isNan})`;
}

/** Where a slot of a cell is kept: slot after slot, of which the factored one is shorter than the others. */
function stateAt({ part, layout }: PartSources, slot: string): string {
  const place = part.slots.indexOf(slot);
  const factored = layout.factoredSlot === undefined ? -1 : part.slots.indexOf(layout.factoredSlot);
  if (factored < 0 || place < factored) return place === 0 ? "at" : `at + ${place}u * chunk.slot_stride`;
  return `at + sizes.behind_factored + ${place - factored - 1}u * chunk.slot_stride`;
}

function floating(value: number): string {
  return /[.e]/.test(String(value)) ? String(value) : `${value}.0`;
}

/**
 * A factored slot: of a vector its elements, of a matrix row · column / mean. The mean of the rows' means is that of the
 * columns' too, so the shorter side is summed: of a single matrix once for each chunk, of a stack whenever an element is in
 * another matrix than the one before.
 */
function factoredText({ part }: PartSources): string {
  const { least } = part.rule.factored!;
  return `
// The matrix of a stack whose mean was computed last, and that mean.
var<private> mean_of: u32 = 0xffffffffu;
var<private> mean_value: f32;
var<workgroup> mean_lanes: array<f32, workgroup_size>;

fn state_at(i: u32) -> f32 {
  return state[i / 4u][i % 4u];
}

// Sum of the means of one side of a matrix, every step-th from the first on.
fn sum_of_means(chunk: Chunk, matrix: u32, first: u32, step: u32) -> f32 {
  let by_row = chunk.rows < chunk.columns;
  let count = select(chunk.columns, chunk.rows, by_row);
  let begin = select(chunk.factored, chunk.factored_rows, by_row) + matrix * count;
  var sum = 0.0;
  for (var start = first; start < count; start += 64u * step) {
    var stretch = 0.0;
    for (var k = start; k < min(start + 64u * step, count); k += step) {
      stretch += state_at(begin + k);
    }
    sum += stretch;
  }
  return sum;
}

fn keep_mean(chunk: Chunk, matrix: u32, sum: f32, least: f32) {
  mean_of = matrix;
  mean_value = max(sum / f32(min(chunk.rows, chunk.columns)), least);
}

// Called by all lanes together.
fn begin_chunk(chunk: Chunk, h: Row, lane: u32) {
  if (barriers) {
    let matrix = chunk.start / max(chunk.rows * chunk.columns, 1u);
    mean_lanes[lane] = sum_of_means(chunk, matrix, lane, workgroup_size);
    workgroupBarrier();
    var sum = 0.0;
    for (var k = 0u; k < workgroup_size; k++) {
      sum += mean_lanes[k];
    }
    keep_mean(chunk, matrix, sum, h.${snakeCase(least)});
  }
}

fn factors_at(chunk: Chunk, t: u32, least: f32) -> f32 {
  let line = t / chunk.columns;
  let matrix = line / chunk.rows;
  if (matrix != mean_of) {
    keep_mean(chunk, matrix, sum_of_means(chunk, matrix, 0u, 1u), least);
  }
  let column = state_at(chunk.factored + matrix * chunk.columns + t % chunk.columns);
  return state_at(chunk.factored_rows + line) * (column / mean_value);
}

fn load_factored(chunk: Chunk, e: u32, h: Row) -> vec4f {
  if (chunk.rows == 0u) {
    return state[(chunk.factored + e) / 4u];
  }
  let least = h.${snakeCase(least)};
  let last = chunk.length - 1u;
  let t = min(vec4u(e, e + 1u, e + 2u, e + 3u), vec4u(last)) + chunk.start;
  return vec4f(
    factors_at(chunk, t.x, least), factors_at(chunk, t.y, least),
    factors_at(chunk, t.z, least), factors_at(chunk, t.w, least));
}
`;
}

const beginNothing = `
fn begin_chunk(chunk: Chunk, h: Row, lane: u32) {
}
`;

/** The scales of adaptive clipping. */
const unitsText = `
fn unit_at(chunk: Chunk, t: u32) -> f32 {
  let i = chunk.units + t % chunk.unit_columns;
  return state[i / 4u][i % 4u];
}

fn unit_clipped(g: vec4f, scales: vec4f) -> vec4f {
  return select(scales * g, -scales * (g * 0x1p-80f), scales < vec4f());
}

fn unit_scales(chunk: Chunk, e: u32) -> vec4f {
  let t = chunk.start + e;
  return vec4f(
    unit_at(chunk, t), unit_at(chunk, t + 1u),
    unit_at(chunk, t + 2u), unit_at(chunk, t + 3u));
}
`;

/** The scalars of the rule itself, with their places in a record. */
function ownScalars({ scalars }: PartLayout) {
  return scalars.map((field, at) => ({ ...field, at })).filter(({ name }) => name !== keptShare);
}

/** Where a scalar is kept: record 0 is that of all tensors together. */
function scalarAt({ scalars }: PartLayout, scope: "tensor" | "all", at: number): string {
  const record = scope === "all" ? "0u" : "record";
  return `scalars[(replica * sizes.record_count + ${record}) * ${scalars.length}u + ${at}u]`;
}

const scalarsBinding = (binding: number) =>
  `@group(0) @binding(${binding}) var<storage, read_write> scalars: array<f32>;\n`;

/** Scalars where they are kept: a record for all tensors, then one for each. */
function scalarsText({ part, layout, plan }: PartSources, binding: number): string {
  const { rule } = part;
  const starts = rule.reduction?.scalars ?? {};
  const own = ownScalars(layout);
  const factored = rule.factored ? ["select(0.0, 1.0, factored)"] : [];
  const loads = own.map(({ scope, at }) => scalarAt(layout, scope, at));
  const begins = own.map(({ name, scope, at }) => {
    const start = starts[name]!;
    const value = typeof start === "number" ? floating(start) : `by.${snakeCase(start)}`;
    return `select(${scalarAt(layout, scope, at)}, ${value}, by.first != 0.0)`;
  });
  // What is summed over all tensors begins with the first update of any group, and goes by the row behind the groups'.
  const by = rule.reduction?.scope === "all" ? "row_of(replica, sizes.common_row)" : "h";
  const stores = own.map(({ name, scope, at }) => `  ${scalarAt(layout, scope, at)} = r.${snakeCase(name)};\n`);
  const caution = scalarAt(layout, "tensor", layout.scalars.length - 1);
  return `${scalarsBinding(binding)}
fn scalars_of(replica: u32, record: u32, factored: bool) -> Scalars {
  return Scalars(${[...factored, ...loads].join(", ")});
}

// Before the rule's own conclusion: in the first update they begin.
fn scalars_before(replica: u32, record: u32, factored: bool, h: Row) -> Scalars {
  let by = ${by};
  return Scalars(${[...factored, ...begins].join(", ")});
}

fn store_scalars(replica: u32, record: u32, r: Scalars) {
${stores.join("")}}

fn caution_of(replica: u32, record: u32) -> f32 {
  return ${plan.cautious ? caution : "1.0"};
}
`;
}

const noScalarsText = `
fn scalars_of(replica: u32, record: u32, factored: bool) -> Scalars {
  return Scalars();
}

fn caution_of(replica: u32, record: u32) -> f32 {
  return 1.0;
}
`;

/** The rule's own step, apart from decay, of parameters that became \`y\`; and whether it goes along the gradient. */
function cautionText({ part }: PartSources): string {
  const kept = part.rule.columns.includes("keep") ? "h.keep * x.p" : "x.p";
  return `fn kept_by(x: Cell, h: Row) -> vec4f {
  return ${kept};
}

fn goes_along(step: vec4f, g: vec4f) -> vec4<bool> {
  return sign(step) * sign(g) > vec4f();
}

fn updated(x: Cell, g: vec4f, h: Row, r: Scalars) -> Cell {
  return ${part.rule.reduction ? "update(x, g, h, r)" : "update(x, g, h)"};
}

`;
}

/** The rule's update and what stands around it. */
function advanceText(sources: PartSources): string {
  const { cautious, averages } = sources.plan;
  const caution = `  let kept = kept_by(x, h);
  let step = kept - y.p;
  y.p = kept - select(vec4f(), caution * step, goes_along(step, g));
`;
  const lookahead = `  let returns = h.lookahead >= 0.0;
  y.lookahead = x.lookahead + max(h.lookahead, 0.0) * (y.p - x.lookahead);
  y.p = select(y.p, y.lookahead, returns);
`;
  const average = (slot: string) => `  y.${slot} = x.${slot} + h.${slot} * (y.p - x.${slot});\n`;
  return `${cautionText(sources)}fn advanced_cell(x: Cell, g: vec4f, h: Row, r: Scalars, caution: f32) -> Cell {
  var y = updated(x, g, h, r);
${cautious ? caution : ""}${averages.lookahead ? lookahead : ""}${averages.ema ? average("ema") : ""}${averages.swa ? average("swa") : ""}  return y;
}
`;
}

/** Where an update notes what it does: behind its other bindings. */
function notedText({ plan, layout }: PartSources): string {
  if (!plan.watch) return "";
  return `@group(0) @binding(${layout.scalars.length > 0 ? 8 : 7}) var<storage, read_write> noted: array<Noted>;\n`;
}

/** Sums of one lane, one chunk or one tensor. */
function sumText({ part }: PartSources, phase: Phase): string {
  const names = sumNames(part, phase);
  const add = ["count", ...names].map((name) => `a.${snakeCase(name)} + b.${snakeCase(name)}`).join(", ");
  return `${struct("Sum", ["count", ...names], "f32")}
fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(${add});
}
`;
}

function sumNames({ rule }: Part, phase: Phase): readonly string[] {
  return phase === "rule" ? rule.reduction!.sums : ["kept"];
}

/** The terms of four elements, and what adds them up. */
function termsText(sources: PartSources, phase: Phase): string {
  const names = sumNames(sources.part, phase).map(snakeCase);
  const zero = "vec4f()";
  const add = names.map((name) => `a.${name} + select(${zero}, b.${name}, inside)`).join(", ");
  const sum = names.map((name) => `(t.${name}.x + t.${name}.y) + (t.${name}.z + t.${name}.w)`).join(", ");
  const rule = phase === "rule";
  const body = rule
    ? `  let sums = measure(x, g, h, r);\n  return Terms(${names.map((name) => `sums.${name}`).join(", ")});\n`
    : `  let step = kept_by(x, h) - updated(x, g, h, r).p;
  return Terms(select(${zero}, vec4f(1.0), goes_along(step, g)));
`;
  const scalars = rule ? "scalars_before(replica, chunk.record, chunk.rows != 0u, h)" : scalarsOfChunk;
  return `${struct("Terms", names, "vec4f")}
${rule ? "" : cautionText(sources)}fn terms(x: Cell, g: vec4f, h: Row, r: Scalars) -> Terms {
${body}}

fn scalars_to_measure(replica: u32, chunk: Chunk, h: Row) -> Scalars {
  return ${scalars};
}

fn add_terms(a: Terms, b: Terms, inside: vec4<bool>) -> Terms {
  return Terms(${add});
}

fn sum_of(t: Terms) -> Sum {
  return Sum(0.0, ${sum});
}
`;
}

const scalarsOfChunk = "scalars_of(replica, chunk.record, chunk.rows != 0u)";

/** What becomes of the sums of one bin; where nothing was summed (all is frozen) the scalars only begin. */
function concludedText({ part, layout }: PartSources, phase: Phase): string {
  const names = sumNames(part, phase).map(snakeCase);
  const caution = scalarAt(layout, "tensor", layout.scalars.length - 1);
  const body =
    phase === "rule"
      ? `  var r = scalars_before(replica, record, factored, h);
  if (sum.count > 0.0) {
    r = conclude(Totals(sum.count, ${names.map((name) => `sum.${name}`).join(", ")}), r, h);
  }
  store_scalars(replica, record, r);
`
      : `  if (sum.count > 0.0) {
    ${caution} = 1.0 / max(sum.kept / sum.count, 1e-3);
  }
`;
  return `fn conclude_bin(replica: u32, record: u32, factored: bool, sum: Sum, h: Row) {
${body}}
`;
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
