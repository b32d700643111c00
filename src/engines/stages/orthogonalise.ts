// A slot that every update recomputes: the rule's `prepare` of every element, as a matrix brought close to the nearest orthogonal
// one by steps of Newton–Schulz. Matrices of one shape are multiplied together.
import prepare from "../../../shaders/prepare.wgsl?raw";
import { together } from "../../base/together.ts";
import { sidesOf } from "../../optimizer/arena.ts";
import { alike, type Place, slotRange } from "../../optimizer/layout.ts";
import { orthogonalised } from "../cpu/orthogonalise.ts";
import { controlBytes, controlRecord } from "../gpu/control.ts";
import { requireBuffer } from "../gpu/device.ts";
import type { Dispatch } from "../gpu/kernel.ts";
import {
  bindProduct,
  compileProduct,
  type Epilogue,
  type Operand,
  type Placement,
  type ProductKernel,
  type Replicated,
} from "../products/product.ts";
import { cellBindings, cellSnippets, ruleName } from "./cell.ts";
import { jordan, newtonSchulz, type Operation, type Square, type Wide } from "./newton_schulz.ts";
import { file } from "./snippets.ts";
import type { Binding, BuildContext, KernelContext, NamedBuffers, Stage } from "./stage.ts";
import type { TwinContext } from "./twin.ts";

const prepared: Binding = { name: "prepared", use: "write", type: "array<vec4f>" };

/** The stage of a rule's `orthogonalises`: Newton–Schulz steps on the results of `prepare`. */
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
        snippets: [...cellSnippets(context), file("prepare", prepare)],
      }),
    },
  ],
  async compile(device, context) {
    for (const { segment } of context.layout.places) {
      const bytes = Math.min(...segment.shape) ** 2 * context.plan.replicas * 4;
      requireBuffer(device, bytes, `the Gram matrix of "${segment.name}"`);
    }
    const batches = await together(batchesOf(device, context).map((batch) => compileBatch(device, context, batch)));
    return (build, buffers) => {
      const replicated: Replicated = {
        device,
        replicas: build.plan.replicas,
        control: buffers.control as GPUBuffer,
        controlStride: controlBytes(build.plan) / 4,
        skipIndex: controlRecord.index("skip"),
      };
      // Batches run one after the other in the same buffers.
      const lengths = new Map<string, number>();
      for (const [name, length] of batches.flatMap(({ needs }) => [...needs])) {
        lengths.set(name, Math.max(length, lengths.get(name) ?? 0));
      }
      const shared = Object.fromEntries(
        [...lengths].map(([name, length]) => [
          name,
          build.create(`matrices (${name})`, build.plan.replicas * length * 4),
        ]),
      );
      return batches.flatMap(({ bind }) => bind(replicated, build, { ...buffers, ...shared }));
    };
  },
};

/** Matrices of one shape that are multiplied together, in consecutive places. */
interface Batch {
  readonly first: Place;
  readonly count: number;
  /** Elements from one of them to the next. */
  readonly step: number;
}

/**
 * The matrices of a rule set, shape by shape: as many at once as one dispatch over all replicas can reach and as one buffer can
 * hold of the intermediate results.
 */
function batchesOf({ limits }: GPUDevice, { plan, layout }: KernelContext): readonly Batch[] {
  const bytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  return alike(layout.places, ({ segment }) => segment).flatMap((places) => {
    const step = places.length > 1 ? places[1]!.offset - places[0]!.offset : places[0]!.segment.length;
    const held = Math.floor(bytes / (4 * plan.replicas * places[0]!.segment.length));
    const most = Math.max(1, Math.min(held, Math.floor(limits.maxComputeWorkgroupsPerDimension / plan.replicas)));
    return Array.from({ length: Math.ceil(places.length / most) }, (_, i) => {
      const own = places.slice(i * most, (i + 1) * most);
      return { first: own[0]!, count: own.length, step };
    });
  });
}

/** Whole vec4s. */
const padded = (length: number) => 4 * Math.ceil(length / 4);

/** The layout and buffer of a product's operand in a batch. */
type Placed = Placement & { readonly name: string };

/**
 * The products of a batch, from `prepared` into the state's slot. X has the matrix's shorter side as its rows: for a tall matrix
 * it is the transpose, which is never formed.
 */
async function compileBatch(device: GPUDevice, { ruleSet, layout }: KernelContext, { first, count, step }: Batch) {
  const { slot, scale, quintics } = ruleSet.rule.orthogonalises!;
  const { segment } = first;
  const [rows, columns] = segment.shape as [number, number];
  const tall = rows > columns;
  const [small, large] = tall ? [columns, rows] : [rows, columns];
  const operations = newtonSchulz(
    [rows, columns],
    quintics?.(ruleSet.flags) ?? jordan,
    scale(sidesOf(segment), ruleSet.flags),
  );
  const between = padded(segment.length);
  const wide: Readonly<Record<Wide, Placed>> = {
    prepared: { name: "prepared", offset: 4 * first.offset, stride: layout.slotStride, step },
    between: { name: "between", stride: count * between, step: between },
    orthogonal: { name: "state", offset: 4 * slotRange(layout, first, slot).offset, stride: layout.stateLength, step },
  };
  const square = padded(small * small);
  const squareOf = (of: Square): Placed => ({ name: `square ${of}`, stride: count * square, step: square });
  const squares = { m: small, n: small, k: small, symmetric: true, matrices: count };
  const shapes = {
    gram: { ...squares, k: large, transposeA: tall, transposeB: !tall },
    polynomial: squares,
    product: squares,
    apply: { m: rows, n: columns, k: small, matrices: count },
  };
  const at = [...Object.values(wide), squareOf(0)];
  const compiled = new Map<Operation["kind"], ProductKernel>();
  const kinds = [...new Set(operations.map(({ kind }) => kind))];
  await together(
    kinds.map(async (kind) => {
      const epilogue = kind === "polynomial" ? "combine" : "none";
      const form = { epilogue, dropout: false, at, symmetric: kind !== "apply" } as const;
      compiled.set(kind, await compileProduct(device, shapes[kind], form));
    }),
  );

  const placed = (operation: Operation): readonly [a: Placed, b: Placed, c: Placed] => {
    switch (operation.kind) {
      case "gram":
        return [wide[operation.x], wide[operation.x], squareOf(operation.to)];
      case "polynomial":
        return [squareOf(operation.gram), squareOf(operation.gram), squareOf(operation.to)];
      case "product":
        return [squareOf(operation.left), squareOf(operation.right), squareOf(operation.to)];
      case "apply": {
        const [left, x] = [squareOf(operation.left), wide[operation.x]];
        return tall ? [x, left, wide[operation.to]] : [left, x, wide[operation.to]];
      }
    }
  };
  const epilogueOf = (operation: Operation, added: Operand): Epilogue => {
    if (operation.kind !== "polynomial") return { type: "none" };
    const [shift, beta, alpha] = operation.quintic;
    return { type: "combine", alpha, beta, added, shift };
  };
  /** Elements that a batch needs of each buffer besides the state and `prepared`, per replica. */
  const needs = new Map(
    operations
      .map((operation) => placed(operation)[2])
      .filter(({ name }) => name !== "prepared" && name !== "state")
      .map(({ name, stride }) => [name, stride] as const),
  );

  return {
    needs,
    bind: (replicated: Replicated, { create }: BuildContext, buffers: NamedBuffers): readonly Dispatch[] =>
      operations.map((operation) => {
        const [a, b, c] = placed(operation).map(({ name, ...at }) => ({ buffer: buffers[name] as GPUBuffer, ...at }));
        const { kind } = operation;
        const product = { ...shapes[kind], epilogue: epilogueOf(operation, a!) };
        return bindProduct(replicated, compiled.get(kind)!, product, [a!, b!, c!], create);
      }),
  };
}

/** The same on the CPU. */
function orthogonalise({ state: { ruleSet, layout, state }, works, scalars }: TwinContext): void {
  const { slot, prepare, scale, quintics } = ruleSet.rule.orthogonalises!;
  for (const { place, row, cells, gradient } of works) {
    const r = scalars.of(place);
    const shape = place.segment.shape as [number, number];
    const matrix = Float64Array.from({ length: place.segment.length }, (_, i) =>
      prepare(cells.load(i), gradient(i), row, r, ruleSet.flags),
    );
    const factor = scale(sidesOf(place.segment), ruleSet.flags);
    const values = orthogonalised(matrix, shape, quintics?.(ruleSet.flags) ?? jordan, factor);
    state.set(values, slotRange(layout, place, slot).offset);
  }
}
