// A slot that is recomputed in each update: the rule's `prepare` of every element, as a matrix brought close to the nearest
// orthogonal one by steps of Newton–Schulz, three products each.
import prepare from "../../../shaders/prepare.wgsl?raw";
import { together } from "../../base/together.ts";
import { sidesOf } from "../../optimizer/arena.ts";
import { type Place, type RuleSetLayout, slotRange } from "../../optimizer/layout.ts";
import { orthogonalised } from "../cpu/orthogonalise.ts";
import { controlBytes, controlRecord } from "../gpu/control.ts";
import type { Dispatch } from "../gpu/kernel.ts";
import { bindProduct, compileProduct, type Epilogue, type Operands, type Replicated } from "../products/product.ts";
import { cellBindings, cellSnippets, ruleName } from "./cell.ts";
import { newtonSchulz } from "./newton_schulz.ts";
import { file } from "./snippets.ts";
import type { Binding, BuildContext, KernelContext, NamedBuffers, Stage } from "./stage.ts";
import type { TwinContext } from "./twin.ts";

const prepared: Binding = { name: "prepared", use: "write", type: "array<vec4f>" };

/** The stage of a rule's `orthogonalises`: Newton–Schulz steps of what `prepare` gives. */
export const orthogonaliseStage: Stage = {
  name: "orthogonalise",
  twin: orthogonalise,
  buffers: ({ plan, layout, create }) => {
    const square = () => create("square matrices", plan.replicas * squareOf(layout) * 4);
    const matrices = create("prepared matrices", plan.replicas * layout.slotStride * 4);
    return { prepared: matrices, gram: square(), mixed: square() };
  },
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
    const matrices = await together(context.layout.places.map((place) => compileSteps(device, context, place)));
    return (build, buffers) => {
      const replicated: Replicated = {
        device,
        replicas: build.plan.replicas,
        control: buffers.control as GPUBuffer,
        controlStride: controlBytes(build.plan) / 4,
        skipIndex: controlRecord.index("skip"),
      };
      return matrices.flatMap((steps) => steps(replicated, build, buffers));
    };
  },
};

/** Elements of the largest Gram matrix, in whole vec4s. */
function squareOf({ places }: RuleSetLayout): number {
  return Math.ceil(Math.max(...places.map(({ segment }) => Math.min(...segment.shape) ** 2)) / 4) * 4;
}

/**
 * The steps of one matrix, from `prepared` into the state's slot. X has the matrix's shorter side for rows: of a tall one it is
 * the transpose, which is never formed. The Gram matrix and what is mixed of it are symmetric.
 */
async function compileSteps(device: GPUDevice, { ruleSet, layout }: KernelContext, place: Place) {
  const { slot, scale } = ruleSet.rule.orthogonalises!;
  const [rows, columns] = place.segment.shape as [number, number];
  const tall = rows > columns;
  const [small, large] = tall ? [columns, rows] : [rows, columns];
  const inSlot = { offset: 4 * slotRange(layout, place, slot).offset, stride: layout.stateLength };
  const inPrepared = { offset: 4 * place.offset, stride: layout.slotStride };
  const square = { stride: squareOf(layout) };
  const shapes = {
    gram: { m: small, n: small, k: large, transposeA: tall, transposeB: !tall },
    mix: { m: small, n: small, k: small },
    apply: { m: rows, n: columns, k: small },
  };
  const at = [inSlot, inPrepared, square];
  const [gram, mix, apply] = await together([
    compileProduct(device, shapes.gram, { epilogue: "none", dropout: false, at }),
    compileProduct(device, shapes.mix, { epilogue: "combine", dropout: false, at }),
    compileProduct(device, shapes.apply, { epilogue: "combine", dropout: false, at }),
  ]);
  const { a, b, c, steps } = newtonSchulz;
  const factor = scale(sidesOf(place.segment), ruleSet.flags);

  return (replicated: Replicated, { create }: BuildContext, buffers: NamedBuffers): readonly Dispatch[] => {
    const operand = (name: string, placed: { readonly offset?: number; readonly stride: number }) => ({
      buffer: buffers[name] as GPUBuffer,
      ...placed,
    });
    const xs = [operand("prepared", inPrepared), operand("state", inSlot)] as const;
    const [g, mixed] = [operand("gram", square), operand("mixed", square)];
    const bind = (of: keyof typeof shapes, epilogue: Epilogue, operands: Operands) =>
      bindProduct(replicated, { gram, mix, apply }[of], { ...shapes[of], epilogue }, operands, create);
    const grams = xs.map((x) => bind("gram", { type: "none" }, [x, x, g]));
    const mixing = bind("mix", { type: "combine", alpha: c, beta: b, added: g }, [g, g, mixed]);
    /** X from one place to the other, times a factor. */
    const applied = (from: 0 | 1, times: number) => {
      const x = xs[from];
      const [left, right] = tall ? [x, mixed] : [mixed, x];
      const epilogue = { type: "combine", alpha: times, beta: a * times, added: x } as const;
      return bind("apply", epilogue, [left, right, xs[1 - from]!]);
    };
    const applying = [applied(0, 1), applied(1, 1)];
    // An odd number of steps ends in the slot.
    const last = applied(0, factor);
    return Array.from({ length: steps }, (_, step) => [
      grams[step % 2]!,
      mixing,
      step === steps - 1 ? last : applying[step % 2]!,
    ]).flat();
  };
}

/** The same on the CPU. */
function orthogonalise({ state: { ruleSet, layout, state }, works, scalars }: TwinContext): void {
  const { slot, prepare, scale } = ruleSet.rule.orthogonalises!;
  for (const { place, row, cells, gradient } of works) {
    const r = scalars.of(place);
    const shape = place.segment.shape as [number, number];
    const matrix = Float64Array.from({ length: place.segment.length }, (_, i) =>
      prepare(cells.load(i), gradient(i), row, r, ruleSet.flags),
    );
    const factor = scale(sidesOf(place.segment), ruleSet.flags);
    const values = orthogonalised(matrix, shape).map((value) => factor * value);
    state.set(values, slotRange(layout, place, slot).offset);
  }
}
