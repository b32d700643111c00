// The WGSL that depends only on names: the structs of a rule with their loads and stores, and the calls of modifiers in sequence.
// All other WGSL is in shaders/.
import { type Snippet, snakeCase } from "../../base/assemble.ts";
import { defineStruct, type Struct } from "../../base/struct.ts";
import type { RuleSetLayout, ScalarField } from "../../optimizer/layout.ts";
import { firstColumns, tableColumns } from "../../optimizer/table.ts";
import type { Access, Binding, Hook, KernelContext, ModifierKernel } from "./stage.ts";
import { isVec4State } from "./state.ts";

/** A generated piece, by the name that errors use. */
function generated(what: string, text: string): Snippet {
  return { name: `the generated ${what}`, text };
}

const addressSpaces = { read: "storage, read", write: "storage, read_write", uniform: "uniform" } as const;

/** The bindings of group 0, numbered by their places in the list; `entry` is the type of the entries of parameters and gradients. */
export function bindingsSnippet(bindings: readonly Binding[], entry: Access["entry"] = "f32"): Snippet {
  const lines = bindings.map(({ name, use, type }, index) => {
    const of = typeof type === "string" ? type : type(entry);
    return `@group(0) @binding(${index}) var<${addressSpaces[use]}> ${name}: ${of};\n`;
  });
  return generated("bindings", lines.join(""));
}

/** Declarations of structs, each once, whatever contains it. */
export function structsSnippet(...structs: readonly Struct[]): Snippet {
  return generated("structs", [...new Set(structs.map(({ wgsl }) => wgsl))].join(""));
}

/** A struct of fields of one type; an empty one gets a field that nothing reads, since WGSL has no empty structs. */
function uniformStruct(name: string, fields: readonly string[], type: "f32" | "vec4f"): string {
  const all = fields.length > 0 ? fields : ["none"];
  return defineStruct(name, Object.fromEntries(all.map((field) => [field, type]))).wgsl;
}

/** The columns of a row that do not depend on the rule: a kernel that reads no others is compiled once for all rules. */
export function driverColumns({ plan, ruleSet }: KernelContext): readonly string[] {
  const columns = tableColumns(plan, ruleSet);
  return columns.slice(0, Math.max(firstColumns.length, columns.length - ruleSet.rule.columns.length));
}

/** Row, and the row of a group at the replica's step. */
export function rowSnippet(columns: readonly string[]): Snippet {
  const fields = columns.map((_, i) => `bitcast<f32>(table[at + ${i}u])`);
  return generated(
    "row",
    `${uniformStruct("Row", columns, "f32")}
// If the step's rows are missing, those of another step: a resting update reads none.
fn row_of(now: Now, group: u32) -> Row {
  let at = now.slot + sizes.row_offset + group * sizes.column_count;
  return Row(${fields.join(", ")});
}
`,
  );
}

/** An entry of the chunk table, field by field: a kernel then loads only the fields that it reads. */
export function chunkAtSnippet(chunk: Struct): Snippet {
  const fields = Object.keys(chunk.fields).map((field) => `chunks[index].${snakeCase(field)}`);
  return generated(
    "chunk",
    `fn chunk_at(index: u32) -> Chunk {
  return Chunk(${fields.join(", ")});
}
`,
  );
}

/** Places of a tensor's lines with their places in a replica. */
export function placesSnippet(places: Struct, blocks: readonly string[]): Snippet {
  const fields = Object.keys(places.fields).map(
    (field) => `places.${snakeCase(field)}${blocks.includes(field) ? " + state" : ""}`,
  );
  return generated(
    "places",
    `fn places_in(places: Places, state: u32) -> Places {
  return Places(${fields.join(", ")});
}
`,
  );
}

/** The gradient after the hooks of some modifiers. */
export function modifyGradientSnippet(modifiers: readonly ModifierKernel[]): Snippet {
  const calls = hooked(modifiers, "gradient").map((name) => `  y = ${name}_gradient(y, t, places, h);\n`);
  return generated(
    "chain of modifiers of the gradient",
    `fn modify_gradient(g: vec4f, t: vec4u, places: Places, h: Row) -> vec4f {
  var y = g;
${calls.join("")}  return y;
}
`,
  );
}

/** The rule's update with its step, and the modifiers' hooks: before and after the step is applied, and those that observe it. */
export function advanceSnippet({ plan: { modifiers } }: KernelContext): Snippet {
  const call = (hook: "step" | "update") =>
    hooked(modifiers, hook).map((name) => `  y = ${name}_${hook}(x, y, g, h, m);\n`);
  const after = hooked(modifiers, "after").map((name) => `  ${name}_after(before, step, g, inside);\n`);
  const whole = after.length > 0 ? "  y.step += (y.decay + (x.p - kept)) + (moved - y.p);\n" : "";
  const ends = hooked(modifiers, "end").map((name) => `  ${name}_end(place, lane);\n`);
  return generated(
    "chain of modifiers of the update",
    `fn advanced_cell(x: Cell, g: vec4f, h: Row, r: Scalars, m: Modified) -> Cell {
  var y = updated(x, g, h, r);
${call("step").join("")}  let kept = y.p;
  let moved = kept - (y.decay + y.step);
  y.p = moved;
${call("update").join("")}${whole}  return y;
}

fn after_update(before: vec4f, step: vec4f, g: vec4f, inside: vec4<bool>) {
${after.join("")}}

fn end_chunk(place: u32, lane: u32) {
${ends.join("")}}
`,
  );
}

function hooked(modifiers: readonly ModifierKernel[], hook: Hook): readonly string[] {
  return modifiers.filter(({ hooks }) => hooks.includes(hook)).map(({ name }) => snakeCase(name));
}

/** Cell, Scalars, and for rules that reduce, the arguments and results of their functions; the rule's update in one form. */
export function cellStructsSnippet({ ruleSet, layout }: KernelContext): Snippet {
  const { rule, slots } = ruleSet;
  const { reduction } = rule;
  const scalars = [...(rule.factored ? ["factored"] : []), ...ruleScalars(layout).map(({ name }) => name)];
  const sums = reduction
    ? `${uniformStruct("Sums", reduction.sums, "vec4f")}${uniformStruct("Totals", ["count", ...reduction.sums], "f32")}struct Measured {
  x: Cell, sums: Sums
}
`
    : "";
  return generated(
    `structs of rule "${rule.name}"`,
    `${uniformStruct("Cell", ["p", "step", "decay", ...new Set([...rule.slots, ...slots])], "vec4f")}${uniformStruct("Scalars", scalars, "f32")}${sums}`,
  );
}

export function ruleCallsSnippet({ ruleSet }: KernelContext): Snippet {
  const { rule } = ruleSet;
  return generated(
    `calls of rule "${rule.name}"`,
    `fn updated(x: Cell, g: vec4f, h: Row, r: Scalars) -> Cell {
  return ${rule.reduction ? "update(x, g, h, r)" : "update(x, g, h)"};
}
`,
  );
}

/** Loading and storing everything about four elements. */
export function cellSnippet(context: KernelContext): Snippet {
  const { rule, slots } = context.ruleSet;
  const all = [...new Set([...rule.slots, ...slots])];
  const load = (factored: string) => (slot: string) => {
    if (!slots.includes(slot)) return "vec4f()";
    const stored = slot === rule.factored?.slot ? `${factored}(chunk, e, h)` : loadSlot(context, slot);
    const start = rule.slots.includes(slot) ? rule.starts?.[slot] : "p";
    if (start === undefined) return stored;
    const value =
      start === "p" ? "p" : typeof start === "number" ? `vec4f(${floating(start)})` : `vec4f(h.${snakeCase(start)})`;
    return `select(${stored}, ${value}, h.first != 0.0)`;
  };
  // `measure` has already written the slots that it advances, and the products the orthogonalised one.
  const unstored = [rule.fixed, rule.reduction?.advances, [rule.orthogonalises?.slot]];
  return generated(
    `cell of rule "${rule.name}"`,
    `fn load_cell(chunk: Chunk, e: u32, inside: vec4<bool>, h: Row) -> Cell {
  let p = load_params(chunk.params, e, inside);
  let at = chunk.state + e / 4u;
  return Cell(${["p", "vec4f()", "vec4f()", ...all.map(load("load_factored"))].join(", ")});
}

// For a chunk that goes in fours (factored.wgsl).
fn load_whole_cell(chunk: Chunk, e: u32, h: Row) -> Cell {
  let p = load_params(chunk.params, e, vec4<bool>(true));
  let at = chunk.state + e / 4u;
  return Cell(${["p", "vec4f()", "vec4f()", ...all.map(load("load_factored_four"))].join(", ")});
}

${storing(context, "store_slots", (slot) => !unstored.some((its) => its?.includes(slot)))}
// Slots that keep their initial value.
${storing(context, "store_fixed", (slot) => rule.fixed?.includes(slot))}`,
  );
}

/** A function that stores some of the slots of four elements. */
function storing(context: KernelContext, name: string, picks: (slot: string) => unknown): string {
  const { rule, slots } = context.ruleSet;
  const stores = slots.filter(picks).map((slot) => {
    // Values whose signs matter fade to 0 alike, whether arithmetic keeps numbers below 2^-126 or not.
    const value = `${rule.goesBySign ? "normal_or_zero" : ""}(y.${snakeCase(slot)})`;
    return `  ${slot === rule.factored?.slot ? `store_factored(chunk, e, ${value})` : storeSlot(context, slot, value)};\n`;
  });
  return `fn ${name}(chunk: Chunk, e: u32, y: Cell) {
  let at = chunk.state + e / 4u;
${stores.join("")}}
`;
}

function loadSlot(context: KernelContext, slot: string): string {
  const at = stateAt(context, slot);
  if (isVec4State(context.layout)) return `state[${at}]`;
  const { name, snippets } = context.layout.formats.get(slot)!;
  return snippets ? `load_${snakeCase(name)}(${at})` : `load_state(${at})`;
}

function storeSlot(context: KernelContext, slot: string, value: string): string {
  const at = stateAt(context, slot);
  if (isVec4State(context.layout)) return `state[${at}] = ${value}`;
  const { name, snippets } = context.layout.formats.get(slot)!;
  return `${snippets ? `store_${snakeCase(name)}` : "store_state"}(${at}, ${value})`;
}

/**
 * The place of a cell's slot: slot after slot, of which the factored one is shorter than the others. If all are float32, `at` is
 * an entry of the first slot, and each further slot is one stride on; else `at` is a four's place in a slot.
 */
function stateAt({ ruleSet, layout }: KernelContext, slot: string): string {
  const { formats, factoredSlot } = layout;
  const all = [...ruleSet.slots];
  const place = all.indexOf(slot);
  const factored = factoredSlot === undefined ? -1 : all.indexOf(factoredSlot);
  const behind = factored >= 0 && place > factored;
  const before = all.slice(behind ? factored + 1 : 0, place);
  const base = behind ? " + sizes.behind_factored" : "";
  if (isVec4State(layout)) return `at${base}${before.length > 0 ? ` + ${before.length}u * chunk.slot_stride` : ""}`;
  const words = before.reduce((sum, name) => sum + formats.get(name)!.words, 0);
  return `state_begin${base} + ${words}u * chunk.slot_stride + ${formats.get(slot)!.words}u * at`;
}

function floating(value: number): string {
  return /[.e]/.test(String(value)) ? String(value) : `${value}.0`;
}

/** The columns that a factored slot uses. */
export function factorSnippet({ ruleSet }: KernelContext): Snippet {
  const { weight, least } = ruleSet.rule.factored!;
  return generated(
    "columns of the factored slot",
    `fn factor_weight(h: Row) -> f32 {
  return h.${snakeCase(weight)};
}

fn factor_least(h: Row) -> f32 {
  return h.${snakeCase(least)};
}
`,
  );
}

/** The scalars of the rule itself, with their places in a record. */
function ruleScalars(layout: RuleSetLayout) {
  return scalarsOf(layout, ({ modifier }) => !modifier);
}

/** The scalars of modifiers, with their places in a record. */
function modifierScalars(layout: RuleSetLayout) {
  return scalarsOf(layout, ({ modifier }) => modifier === true);
}

function scalarsOf({ scalars }: RuleSetLayout, picks: (field: ScalarField) => boolean) {
  return scalars.map((field, at) => ({ ...field, at })).filter(picks);
}

/** The place of a scalar: record 0 belongs to all tensors together. */
function scalarAt({ scalars }: RuleSetLayout, scope: "tensor" | "all", at: number): string {
  const record = scope === "all" ? "0u" : "record";
  return `scalars[(replica * sizes.record_count + ${record}) * ${scalars.length}u + ${at}u]`;
}

/** Scalars where they are stored: a record for all tensors, then one for each. */
export function scalarsSnippet({ ruleSet, layout }: KernelContext): Snippet {
  const { rule } = ruleSet;
  const fields = ruleScalars(layout);
  const factored = rule.factored ? ["select(0.0, 1.0, factored)"] : [];
  const loads = fields.map(({ scope, at }) => scalarAt(layout, scope, at));
  return generated(
    `scalars of rule "${rule.name}"`,
    `fn scalars_of(replica: u32, record: u32, factored: bool) -> Scalars {
  return Scalars(${[...factored, ...loads].join(", ")});
}
`,
  );
}

/** The rule's scalars before its own conclusion, and their places after it. */
export function concludingScalarsSnippet({ ruleSet, layout }: KernelContext): Snippet {
  const { rule } = ruleSet;
  const starts = rule.reduction?.scalars ?? {};
  const fields = ruleScalars(layout);
  const factored = rule.factored ? ["select(0.0, 1.0, factored)"] : [];
  const begins = fields.map(({ name, scope, at }) => {
    const start = starts[name]!;
    const value = typeof start === "number" ? floating(start) : `by.${snakeCase(start)}`;
    return `select(${scalarAt(layout, scope, at)}, ${value}, by.first != 0.0)`;
  });
  // Sums over all tensors start with the first update of any group, and use the row after the groups'.
  const by = rule.reduction?.scope === "all" ? "row_of(now_of(replica), sizes.common_row)" : "h";
  const stores = fields.map(({ name, scope, at }) => `  ${scalarAt(layout, scope, at)} = r.${snakeCase(name)};\n`);
  return generated(
    `first scalars of rule "${rule.name}"`,
    `// Before the rule's own conclusion: in the first update they begin.
fn scalars_before(replica: u32, record: u32, factored: bool, h: Row) -> Scalars {
  let by = ${by};
  return Scalars(${[...factored, ...begins].join(", ")});
}

fn store_scalars(replica: u32, record: u32, r: Scalars) {
${stores.join("")}}
`,
  );
}

/** The scalars of modifiers, which their hooks take. */
export function modifiedSnippet({ layout }: KernelContext): Snippet {
  const fields = modifierScalars(layout);
  const loads = fields.map(({ scope, at }) => scalarAt(layout, scope, at));
  return generated(
    "scalars of modifiers",
    `${uniformStruct(
      "Modified",
      fields.map(({ name }) => name),
      "f32",
    )}
fn modified_of(replica: u32, record: u32) -> Modified {
  return Modified(${loads.join(", ")});
}
`,
  );
}

/** Storing a modifier's scalar of one tensor. */
export function storeModifiedSnippet({ layout }: KernelContext, name: string): Snippet {
  const { scope, at } = modifierScalars(layout).find((field) => field.name === name)!;
  return generated(
    `scalar of modifier "${name}"`,
    `fn store_${snakeCase(name)}(replica: u32, record: u32, value: f32) {
  ${scalarAt(layout, scope, at)} = value;
}
`,
  );
}

/** The sums of one lane, one chunk or one tensor: the number of elements, and the sum of each term. */
export function sumStruct(names: readonly string[]): Struct {
  return defineStruct("Sum", Object.fromEntries(["count", ...names].map((name) => [name, "f32"])));
}

export function sumSnippet(names: readonly string[]): Snippet {
  const add = ["count", ...names].map((name) => `a.${snakeCase(name)} + b.${snakeCase(name)}`);
  return generated(
    "sums",
    `${sumStruct(names).wgsl}
fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(${add.join(", ")});
}
`,
  );
}

/** The terms of four elements, and their addition. */
export function termsSnippet(names: readonly string[]): Snippet {
  const fields = names.map(snakeCase);
  const add = fields.map((name) => `a.${name} + select(vec4f(), b.${name}, inside)`);
  const sum = fields.map((name) => `(t.${name}.x + t.${name}.y) + (t.${name}.z + t.${name}.w)`);
  return generated(
    "terms",
    `${uniformStruct("Terms", names, "vec4f")}
fn add_terms(a: Terms, b: Terms, inside: vec4<bool>) -> Terms {
  return Terms(${add.join(", ")});
}

fn sum_of(t: Terms) -> Sum {
  return Sum(0.0, ${sum.join(", ")});
}
`,
  );
}

/** The terms that the rule measures; stores the slots that it advances. */
export function measuredSnippet(context: KernelContext): Snippet {
  const { name, reduction } = context.ruleSet.rule;
  const { sums, advances } = reduction!;
  const terms = `Terms(${sums.map((sum) => `sums.${snakeCase(sum)}`).join(", ")})`;
  const body = advances
    ? `  let measured = measure(x, g, h, r);
  store_advanced(chunk, e, measured.x);
  let sums = measured.sums;`
    : "  let sums = measure(x, g, h, r);";
  return generated(
    `terms of rule "${name}"`,
    `${advances ? storing(context, "store_advanced", (slot) => advances.includes(slot)) : ""}
fn terms(chunk: Chunk, e: u32, x: Cell, g: vec4f, h: Row, r: Scalars) -> Terms {
${body}
  return ${terms};
}
`,
  );
}

/** The totals that the rule concludes from. */
export function totalsSnippet({ ruleSet }: KernelContext): Snippet {
  const fields = ["count", ...ruleSet.rule.reduction!.sums].map((name) => `sum.${snakeCase(name)}`);
  return generated(
    `totals of rule "${ruleSet.rule.name}"`,
    `fn totals_of(sum: Sum) -> Totals {
  return Totals(${fields.join(", ")});
}
`,
  );
}
