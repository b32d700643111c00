// A slot that is made anew in each update: the rule's `prepare` of every element, as a matrix brought close to the nearest
// orthogonal one by steps of Newton–Schulz, three products each.
import newtonSchulzText from "../../shaders/newton_schulz.wgsl?raw";
import prepare from "../../shaders/prepare.wgsl?raw";
import { sidesOf } from "../arena.ts";
import { orthogonalised } from "../cpu/orthogonalise.ts";
import type { Dispatch } from "../gpu/kernel.ts";
import { slotRange } from "../layout.ts";
import { newtonSchulz } from "../newton_schulz.ts";
import { defineStruct, type Values } from "../struct.ts";
import { cellBindings, cellParts, ruleName } from "./cell.ts";
import { structsPart } from "./generate.ts";
import { file } from "./snippets.ts";
import type { Binding, BuildContext, NamedBuffers, NamedKernel, Stage } from "./stage.ts";
import type { TwinContext } from "./twin.ts";

/** Where a matrix lies: its first element, and how far it is to the next row, column and replica. */
const operandStruct = defineStruct("Operand", { offset: "u32", row: "u32", column: "u32", replica: "u32" });

/** c ← alpha · a·b + beta · d. */
const productStruct = defineStruct("Product", {
  a: operandStruct,
  b: operandStruct,
  d: operandStruct,
  c: operandStruct,
  m: "u32",
  n: "u32",
  k: "u32",
  alpha: "f32",
  beta: "f32",
});

type Operand = Values<(typeof operandStruct)["fields"]>;

const prepared: Binding = { name: "prepared", use: "write", type: "array<vec4f>" };
const matrix = (name: string, use: Binding["use"]): Binding => ({ name, use, type: "array<f32>" });

/** The stage of a rule's `orthogonalises`: Newton–Schulz steps of what `prepare` gives. */
export const orthogonaliseStage: Stage = {
  name: "orthogonalise",
  twin: orthogonalise,
  buffers: ({ plan, layout, create }) => ({
    prepared: create("prepared matrices", plan.replicas * layout.slotStride * 4),
  }),
  passes: [
    {
      name: "prepare",
      each: "launch",
      bindings: (context) => [...cellBindings(context), prepared],
      source: (context) => ({
        name: `${ruleName(context)}, prepare`,
        parts: [...cellParts(context), file("prepare", prepare)],
      }),
    },
    {
      name: "products",
      each: "once",
      bindings: () => [
        matrix("a", "read"),
        matrix("b", "read"),
        matrix("d", "read"),
        matrix("c", "write"),
        { name: "product", use: "read", type: "Product" },
      ],
      source: () => ({
        name: "Newton–Schulz",
        parts: [structsPart(productStruct), file("newton_schulz", newtonSchulzText)],
      }),
      dispatches: products,
    },
  ],
};

/** The steps of every matrix, from `prepared` into the state's slot. */
function products(
  { plan, part, layout, create }: BuildContext,
  kernel: NamedKernel,
  { state, prepared }: NamedBuffers,
): readonly Dispatch[] {
  const { rule, flags } = part;
  const { slot, scale } = rule.orthogonalises!;
  const square = Math.max(...layout.places.map(({ segment }) => Math.min(...segment.shape) ** 2));
  const gram = create("Gram matrices", plan.replicas * square * 4);
  const mixed = create("mixed matrices", plan.replicas * square * 4);
  const { a, b, c, steps } = newtonSchulz;
  return layout.places.flatMap((place) => {
    const [rows, columns] = place.segment.shape as [number, number];
    const tall = rows > columns;
    const [small, large] = tall ? [columns, rows] : [rows, columns];
    // Rows of X are the matrix's shorter side.
    const strides = tall ? { row: 1, column: small } : { row: large, column: 1 };
    const inSlot = { offset: slotRange(layout, place, slot).offset, ...strides, replica: layout.stateLength };
    const inPrepared = { offset: place.offset, ...strides, replica: layout.slotStride };
    const squared = { offset: 0, row: small, column: 1, replica: square };
    const turned = (operand: Operand): Operand => ({ ...operand, row: operand.column, column: operand.row });
    type Matrix = readonly [buffer: NamedBuffers[string], operand: Operand];
    const product = (
      [left, right, added, result]: readonly [Matrix, Matrix, Matrix, Matrix],
      [m, n, k]: readonly [number, number, number],
      alpha: number,
      beta: number,
    ): Dispatch => {
      const operands = { a: left[1], b: right[1], d: added[1], c: result[1] };
      const bytes = productStruct.encode([{ ...operands, m, n, k, alpha, beta }]);
      const job = create("product", bytes.byteLength, bytes);
      const tiles = (length: number) => Math.ceil(length / 32);
      return {
        pipeline: kernel.pipeline,
        bindGroup: kernel.bind({ a: left[0], b: right[0], d: added[0], c: result[0], product: job }),
        workgroups: [tiles(n), tiles(m), plan.replicas],
      };
    };
    return Array.from({ length: steps }, (_, step) => {
      // An odd number of steps ends in the slot.
      const [from, to]: [Matrix, Matrix] =
        step % 2 === 0
          ? [
              [prepared!, inPrepared],
              [state!, inSlot],
            ]
          : [
              [state!, inSlot],
              [prepared!, inPrepared],
            ];
      const last = step === steps - 1 ? scale(sidesOf(place.segment), flags) : 1;
      const across: Matrix = [from[0], turned(from[1])];
      const g: Matrix = [gram, squared];
      const m: Matrix = [mixed, squared];
      return [
        product([from, across, from, g], [small, small, large], 1, 0),
        product([g, g, g, m], [small, small, small], c, b),
        product([m, from, from, to], [small, large, small], last, a * last),
      ];
    }).flat();
  });
}

/** The same on the CPU. */
function orthogonalise({ state: { part, layout, state }, works, scalars }: TwinContext): void {
  const { slot, prepare, scale } = part.rule.orthogonalises!;
  for (const { place, row, cells, gradient } of works) {
    const r = scalars.of(place);
    const shape = place.segment.shape as [number, number];
    const matrix = Float64Array.from({ length: place.segment.length }, (_, i) =>
      prepare(cells.load(i), gradient(i), row, r, part.flags),
    );
    const factor = scale(sidesOf(place.segment), part.flags);
    const values = orthogonalised(matrix, shape).map((value) => factor * value);
    state.set(values, slotRange(layout, place, slot).offset);
  }
}
