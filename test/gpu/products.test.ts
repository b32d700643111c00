// Matrix products on the GPU against float64: every kernel in every form at odd sizes, every epilogue and activation, replicas,
// dropout, more workgroups than a dimension holds.
import { describe, expect, it } from "vitest";
import { keep } from "../../scripts/webgpu.mjs";
import { Random } from "../../src/base/random.ts";
import { requestDevice } from "../../src/engines/gpu/device.ts";
import { compileKernel, encodeDispatches } from "../../src/engines/gpu/kernel.ts";
import { type Activation, activationFunctions, activations } from "../../src/engines/products/activation.ts";
import { type Dropout, dropped } from "../../src/engines/products/dropout.ts";
import { askOnce, holds } from "../../src/engines/products/probes.ts";
import {
  type Epilogue,
  type Operand,
  type Product,
  productDispatch,
  type Replicated,
  variantDispatch,
} from "../../src/engines/products/product.ts";
import { assembleProduct, bindingsOf, kernelNames } from "../../src/engines/products/sources.ts";
import {
  findVariant,
  memoryProbes,
  type ProductShape,
  quadsInRow,
  type Variant,
  variants,
  whyNot,
} from "../../src/engines/products/variants.ts";
import { device, openNull } from "./setup.ts";

const random = new Random(1);
const draw = (length: number) => Float32Array.from({ length }, () => 2 * random.uniform() - 1);

/** Matrices of all replicas, one behind the other. */
interface Case {
  readonly shape: ProductShape;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly c?: Float32Array;
  readonly epilogue?: (operand: (values: Float32Array, stride?: number, step?: number) => Operand) => Epilogue;
  readonly variant?: Variant;
  readonly replicas?: number;
  /** Of each replica; default 1. */
  readonly matrices?: number;
  readonly symmetric?: boolean;
  /** By replica: skip word and step. */
  readonly control?: readonly (readonly [skip: number, step: number])[];
  readonly rows?: readonly number[];
  /** Elements between the replicas' A; 0 where they share it. */
  readonly aStride?: number;
  /** Elements in each buffer before what is multiplied; default 0. */
  readonly from?: number;
}

/** C, and what the epilogue was given, after one dispatch. */
async function run(given: Case): Promise<{ c: Float32Array; operands: Float32Array[]; tiles: number }> {
  const { shape, replicas = 1, matrices = 1, symmetric = false } = given;
  const { control = [[0, 0]], rows = [], epilogue, variant, from = 0 } = given;
  const { m, n, k } = shape;
  const buffers: GPUBuffer[] = [];
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const create = (words: Float32Array | Uint32Array) => {
    const size = Math.max(16, words.byteLength);
    const buffer = device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    buffers.push(buffer);
    device.queue.writeBuffer(buffer, 0, words.slice());
    return buffer;
  };
  const operands: { buffer: GPUBuffer; length: number }[] = [];
  const placed = (values: Float32Array, stride: number, step: number): Operand => {
    const contents = new Float32Array(from + values.length).fill(Number.NaN);
    contents.set(values, from);
    const buffer = create(contents);
    return { buffer, offset: 4 * from, size: 4 * values.length, stride, step };
  };
  const operand = (values: Float32Array, stride = 0, step = 0): Operand => {
    const made = placed(values, stride, step);
    operands.push({ buffer: made.buffer, length: values.length });
    return made;
  };
  const replicated: Replicated = {
    device,
    replicas,
    control: create(Uint32Array.from(control.flatMap(([skip, step]) => [9, skip, step, 7]))),
    controlStride: 4,
    skipIndex: 1,
    stepIndex: 2,
    batch: create(Uint32Array.of(rows.length, 0, ...rows)),
    keep: (buffer) => buffers.push(buffer),
  };
  const c = operand(given.c ?? new Float32Array(m * n * matrices * replicas), m * n * matrices, m * n);
  const product: Product = { ...shape, matrices, symmetric, epilogue: epilogue?.(operand) ?? { type: "none" } };
  const [a, b] = [placed(given.a, given.aStride ?? m * k, m * k), placed(given.b, k * n * matrices, k * n)];
  const dispatch = variant
    ? await variantDispatch(replicated, product, [a, b, c], variant)
    : await productDispatch(replicated, product, a, b, c);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  encodeDispatches(pass, [dispatch]);
  pass.end();
  const staged = operands.map(({ buffer, length }) => {
    const size = Math.max(16, 4 * length);
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | COPY_DST });
    encoder.copyBufferToBuffer(buffer, 4 * from, staging, 0, 4 * length);
    return { staging, length };
  });
  device.queue.submit([encoder.finish()]);
  const read = await Promise.all(
    staged.map(async ({ staging, length }) => {
      await staging.mapAsync(GPUMapMode.READ);
      const values = new Float32Array(staging.getMappedRange().slice(0, 4 * length));
      staging.destroy();
      return values;
    }),
  );
  for (const buffer of buffers) buffer.destroy();
  const [x, y] = dispatch.workgroups;
  return { c: read[0]!, operands: read.slice(1), tiles: x * y };
}

/** The product in float64, and the sum of the sizes of its terms. */
function multiply({ m, n, k, transposeA, transposeB }: ProductShape, a: Float32Array, b: Float32Array) {
  const product = new Float64Array(m * n);
  const scale = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let l = 0; l < k; l++) {
        const term = a[transposeA ? l * m + i : i * k + l]! * b[transposeB ? j * k + l : l * n + j]!;
        product[i * n + j]! += term;
        scale[i * n + j]! += Math.abs(term);
      }
    }
  }
  return { product, scale };
}

/** The largest error, in units of the scale of what was summed. */
function worst(found: Float32Array, want: ArrayLike<number>, scale: (i: number) => number): number {
  expect(found.length).toBe(want.length);
  return found.reduce((most, value, i) => {
    const error = Math.abs(value - want[i]!) / Math.max(1e-30, scale(i));
    // NaN must not pass for small.
    return error <= most ? most : error;
  }, 0);
}

const forms = [
  { transposeA: false, transposeB: false },
  { transposeA: true, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: true },
];
/** Of any size. */
const oddSizes: readonly Sizes[] = [
  [37, 45, 51],
  [1, 1, 1],
  [1, 35, 6],
  [67, 1, 9],
  [20, 10, 33],
];
/** Of whole vec4s, but for m where A is not transposed. */
const evenSizes = (odd: boolean): readonly Sizes[] => [
  [36, 44, 52],
  [4, 4, 4],
  [68, 36, 20],
  ...(odd ? [[33, 8, 4] as const] : []),
];
type Sizes = readonly [m: number, n: number, k: number];

describe("products", () => {
  const kernels = [
    ...["registers-32x16", "quads-32x32", "vectors-128x128", "vectors-64x64", "sliced-16x16", "sliced-32x32"],
    ...["tiled-32x32", "tiled-64x64", "f16-64x64"],
  ]
    .map((name) => findVariant(name)!)
    .filter((variant) => whyNot(device, variant) === undefined);
  /** Those that take long to compile have one form; other sizes of a kernel have what follows. */
  const brief = ["sliced-16x16", "tiled-64x64"];
  const others = ["vectors-64x64", "sliced-32x32"];

  it("has every kernel here that the device can run, and the barrier-free ones at least", () => {
    expect(kernels.map(({ kernel }) => kernel)).toEqual(expect.arrayContaining(["registers", "vectors", "tiled"]));
  });

  describe.each(kernels.filter(({ name }) => !others.includes(name)))("$name", (variant) => {
    // How matrices are read and how blocks are transposed do not know of each other, and compiling is what takes the time: vec4s
    // are left out where another kernel has them in that form.
    const { kernel } = variant;
    it.each(brief.includes(variant.name) ? forms.slice(1, 2) : forms)("%o", async (form) => {
      const chosen = kernel === "registers" ? form.transposeA !== form.transposeB : form.transposeA && !form.transposeB;
      const even = chosen && variant.name !== "tiled-64x64";
      for (const [m, n, k] of [...oddSizes, ...(even ? evenSizes(!form.transposeA) : [])]) {
        const shape = { m, n, k, ...form };
        const [a, b] = [draw(m * k), draw(k * n)];
        const { product, scale } = multiply(shape, a, b);
        const { c } = await run({ shape, a, b, variant });
        const error = worst(c, product, (i) => scale[i]!);
        expect(error, `${m} × ${n} × ${k}`).toBeLessThan(kernel === "f16" ? 1e-3 : 2e-6);
      }
    });
  });

  it.each(kernels)("$name of several tiles, with sums after them, added to what is there", async (variant) => {
    const [rows, columns] = variant.tile;
    const of = { m: rows + 5, n: columns + 141, k: 9, transposeA: true };
    const [x, delta, old, oldSums] = [draw(of.m * 9), draw(9 * of.n), draw(of.m * of.n), draw(of.n)];
    const want = multiply(of, x, delta).product.map((g, i) => g + old[i]!);
    const sums = oldSums.map((sum, j) => delta.reduce((all, d, i) => (i % of.n === j ? all + d : all), sum));
    const { c, operands } = await run({
      ...{ variant, shape: of, a: x, b: delta, c: old },
      epilogue: (operand) => ({ type: "gradient", accumulate: true, sums: operand(oldSums) }),
    });
    expect(worst(c, want, scaleOf(want))).toBeLessThan(variant.kernel === "f16" ? 2e-3 : 2e-6);
    expect(worst(operands[0]!, sums, scaleOf(sums))).toBeLessThan(2e-6);
  });

  it("of more than 65,535 workgroups", async () => {
    const shape = { m: 32 * 65_536 + 1, n: 1, k: 1 };
    const a = Float32Array.from({ length: shape.m }, (_, i) => i % 4093);
    const { c, tiles } = await run({ shape, a, b: Float32Array.of(2) });
    expect(tiles).toBeGreaterThan(65_535);
    expect(c.findIndex((value, i) => value !== 2 * a[i]!)).toBe(-1);
  });
});

/** Of each kernel the variant with the largest tile. */
const largest = kernelNames.map((name) => variants.findLast(({ kernel }) => kernel === name)!);

it("compiles every kernel and epilogue, with float16 too, where nothing is run", async () => {
  // Dawn's null backend has every feature, and checks what it is given as any other.
  const everything = await requestDevice(await openNull());
  keep(everything);
  expect(everything.features.has("shader-f16")).toBe(true);
  for (const variant of largest) {
    expect(whyNot(everything, variant)).toBeUndefined();
    for (const epilogue of ["none", "forward", "delta", "gradient", "combine"] as const) {
      for (const access of ["vec4", "any"] as const) {
        const code = { kernel: variant.kernel, access, epilogue, dropout: access === "any" };
        await compileKernel(everything, assembleProduct(code), bindingsOf(code), {
          ...variant.constants,
          transpose_a: 1,
          transpose_b: 1,
          symmetric: Number(epilogue === "none" || epilogue === "combine"),
        });
      }
    }
  }
  everything.destroy();
});

it.runIf(device.features.has("subgroups"))(
  "quads are four invocations in a row here, as their kernel needs",
  async () => {
    await askOnce(device, quadsInRow);
    expect(holds(device, quadsInRow)).toBe(true);
  },
);

it("a workgroup has the memory that variants need, and barriers behind an early return", async () => {
  for (const { probe } of memoryProbes) {
    await askOnce(device, probe);
    expect(holds(device, probe), probe.name).toBe(true);
  }
});

const shape = { m: 7, n: 10, k: 5 };
const [m, n, k] = [shape.m, shape.n, shape.k];
/** Epilogues are the same behind every kernel; this one compiles fastest. */
const quick = ["quads-32x32", "registers-32x16"]
  .map((name) => findVariant(name)!)
  .find((variant) => whyNot(device, variant) === undefined)!;
const scaleOf = (values: ArrayLike<number>) => (i: number) => 1 + Math.abs(values[i]!);

describe("epilogues", () => {
  const [a, b, c, bias] = [draw(m * k), draw(k * n), draw(m * n), draw(n)];
  const { product } = multiply(shape, a, b);

  it.each(activations)("forward with %s, as a product of its input", async (activation) => {
    const f = activationFunctions[activation];
    const spread = a.map((x) => 4 * x);
    const z = multiply(shape, spread, b).product.map((x, i) => x + bias[i % n]! + c[i]!);
    const { c: y, operands } = await run({
      variant: quick,
      shape,
      a: spread,
      b,
      c,
      epilogue: (operand) => ({
        type: "forward",
        activation,
        bias: operand(bias),
        accumulate: true,
        preactivation: operand(new Float32Array(m * n)),
      }),
    });
    expect(worst(operands[1]!, z, scaleOf(z))).toBeLessThan(2e-6);
    const want = Array.from(z, f.value);
    expect(worst(y, want, scaleOf(z))).toBeLessThan(2e-6);
    // The same kernel without any of it.
    const bare = await run({ variant: quick, shape, a, b, c, epilogue: () => ({ type: "forward", activation }) });
    expect(worst(bare.c, Array.from(product, f.value), scaleOf(product))).toBeLessThan(2e-6);
  });

  it.each(activations)("%s far out, and of NaN", async (activation) => {
    const f = activationFunctions[activation];
    const far = Float32Array.of(1e4, -1e4, 200, -200, 90, -90, 12, -12, Number.NaN, 0);
    const { c: y } = await run({
      variant: quick,
      shape: { m: 1, n: 10, k: 1 },
      a: Float32Array.of(1),
      b: far,
      epilogue: () => ({ type: "forward", activation }),
    });
    const want = Array.from(far, f.value);
    for (const [i, value] of want.entries()) {
      if (Number.isNaN(value)) expect(y[i], `of ${far[i]}`).toBeNaN();
      else expect(Math.abs(y[i]! - value), `of ${far[i]}`).toBeLessThanOrEqual(1e-6 * Math.abs(value) + 1e-6);
    }
  });

  it.each(activations)("delta with %s, from C and from elsewhere", async (activation) => {
    const f = activationFunctions[activation];
    const kept = Float32Array.from(c, (z) => (f.keeps === "input" ? 3 * z : f.value(3 * z)));
    const want = product.map((x, i) => x * f.slope(kept[i]!));
    const inPlace = await run({
      variant: quick,
      shape,
      a,
      b,
      c: kept,
      epilogue: () => ({ type: "delta", activation }),
    });
    expect(worst(inPlace.c, want, scaleOf(product))).toBeLessThan(2e-6);
    const from = await run({
      variant: quick,
      shape,
      a,
      b,
      c,
      epilogue: (operand) => ({ type: "delta", activation, from: operand(kept) }),
    });
    expect(worst(from.c, want, scaleOf(product))).toBeLessThan(2e-6);
  });

  it.each([0, 4, 64, 68, 3])("combine with another matrix, from element %i of the buffers on", async (from) => {
    const of = { m: 20, n: 12, k: 8, transposeB: true };
    const [x, y, added] = [draw(20 * 8), draw(12 * 8), draw(20 * 12)];
    const want = multiply(of, x, y).product.map((value, i) => 2.5 * value - 0.75 * added[i]!);
    const { c: found } = await run({
      variant: quick,
      shape: of,
      from,
      a: x,
      b: y,
      c: new Float32Array(20 * 12),
      epilogue: (operand) => ({ type: "combine", alpha: 2.5, beta: -0.75, added: operand(added) }),
    });
    expect(worst(found, want, scaleOf(want))).toBeLessThan(2e-6);
  });

  it.each([false, true])("gradient and the bias's, accumulated: %s", async (accumulate) => {
    // The last has more columns than one workgroup sums.
    for (const wide of [n, 12, 141]) {
      const of = { m: 68, n: wide, k: 8, transposeA: true };
      const [x, delta, old, oldSums] = [draw(68 * 8), draw(8 * wide), draw(68 * wide), draw(wide)];
      const before = Number(accumulate);
      const want = multiply(of, x, delta).product.map((g, i) => g + before * old[i]!);
      const sums = Array.from({ length: wide }, (_, j) =>
        delta.reduce((sum, d, i) => (i % wide === j ? sum + d : sum), before * oldSums[j]!),
      );
      const found = await run({
        variant: quick,
        shape: of,
        a: x,
        b: delta,
        c: old,
        epilogue: (operand) => ({
          type: "gradient",
          accumulate,
          sums: operand(oldSums),
        }),
      });
      expect(worst(found.c, want, scaleOf(want))).toBeLessThan(2e-6);
      expect(worst(found.operands[0]!, sums, scaleOf(sums))).toBeLessThan(2e-6);
    }
  });
});

describe("replicas", () => {
  it("multiply their own matrices, share what has no stride, and rest while they are halted", async () => {
    const replicas = 3;
    const [a, b, bias, c] = [draw(m * k), draw(replicas * k * n), draw(replicas * n), draw(replicas * m * n)];
    const found = await run({
      variant: quick,
      shape,
      a,
      aStride: 0,
      b,
      c,
      replicas,
      control: [
        [0, 4],
        [2, 4],
        [1, 4],
      ],
      epilogue: (operand) => ({ type: "forward", activation: "relu", bias: operand(bias, n) }),
    });
    for (let r = 0; r < replicas; r++) {
      const { product } = multiply(shape, a, b.subarray(r * k * n, (r + 1) * k * n));
      const want =
        r === 1 ? c.subarray(m * n, 2 * m * n) : Array.from(product, (x, i) => Math.max(0, x + bias[r * n + (i % n)]!));
      expect(worst(found.c.subarray(r * m * n, (r + 1) * m * n), want, scaleOf(want))).toBeLessThan(2e-6);
    }
  });
});

describe("a replica's matrices", () => {
  it.each([
    [quick, 37],
    [quick, 68],
    [findVariant("tiled-32x32")!, 68],
    [findVariant("vectors-64x64")!, 68],
  ])("are multiplied in one dispatch, of a symmetric product one triangle (variant %#)", async (variant, size) => {
    const [replicas, matrices, square] = [2, 3, size * size];
    const count = replicas * matrices;
    const [a, added] = [draw(count * square), draw(count * square)];
    // A matrix by its transpose, and a symmetric matrix.
    const at = (i: number, row: number, column: number) => i * square + row * size + column;
    for (let i = 0; i < count; i++)
      for (let row = 0; row < size; row++)
        for (let column = 0; column < row; column++) added[at(i, column, row)] = added[at(i, row, column)]!;
    const { c } = await run({
      ...{ variant, replicas, matrices, symmetric: true, a, b: a, aStride: matrices * square },
      shape: { m: size, n: size, k: size, transposeB: true },
      control: [
        [0, 0],
        [0, 0],
      ],
      epilogue: (operand) => ({
        ...{ type: "combine", alpha: 2.5, beta: -0.75, shift: 3 },
        added: operand(added, matrices * square, square),
      }),
    });
    for (let i = 0; i < count; i++) {
      const part = (values: Float32Array) => values.subarray(i * square, (i + 1) * square);
      const { product } = multiply({ m: size, n: size, k: size, transposeB: true }, part(a), part(a));
      const want = product.map((x, e) => 2.5 * x - 0.75 * part(added)[e]! + (e % (size + 1) === 0 ? 3 : 0));
      expect(worst(part(c), want, scaleOf(want))).toBeLessThan(3e-6);
      expect(c[at(i, 3, 30)]).toBe(c[at(i, 30, 3)]);
    }
  });
});

describe("dropout", () => {
  const dropout: Dropout = { rate: 0.3, seed: 2 ** 40 + 12345, stream: 3 };
  const rows = [40, 7, 7, 1_000_000, 0, 3, 12];
  const control = [[0, 17]] as const;
  const masks = (activation: Activation) => ({ type: "forward", activation, dropout }) as const;

  it("drops what its twin drops, forward and backward", async () => {
    const ones = new Float32Array(m * n).fill(1);
    const [unit, all] = [new Float32Array(m).fill(1), new Float32Array(n).fill(1)];
    const of = { m, n, k: 1 };
    const want = rows.flatMap((row) => Array.from(dropped(dropout, 17, row, n), (gone) => (gone ? 0 : 1 / 0.7)));
    const forward = await run({
      variant: quick,
      shape: of,
      a: unit,
      b: all,
      rows,
      control,
      epilogue: () => masks("linear"),
    });
    expect(worst(forward.c, want, () => 1)).toBeLessThan(2e-7);
    // A dropped infinity is dropped.
    const infinite = await run({
      variant: quick,
      shape: of,
      a: unit,
      b: all.map(() => Number.POSITIVE_INFINITY),
      rows,
      control,
      epilogue: () => masks("linear"),
    });
    expect([...infinite.c]).toEqual(want.map((kept) => (kept === 0 ? 0 : Number.POSITIVE_INFINITY)));
    const backward = await run({
      variant: quick,
      shape: of,
      a: unit,
      b: all,
      c: ones,
      rows,
      control,
      epilogue: () => ({ type: "delta", activation: "linear", dropout }),
    });
    expect(worst(backward.c, want, () => 1)).toBeLessThan(2e-7);
  });

  it("takes the slope at the value before it was scaled", async () => {
    const [a, b] = [draw(m * k), draw(k * n)];
    const kept = draw(m * n);
    const scaled = kept.map((y) => y / 0.7);
    const { product } = multiply(shape, a, b);
    const mask = rows.flatMap((row) => Array.from(dropped(dropout, 17, row, n), (gone) => (gone ? 0 : 1 / 0.7)));
    const want = product.map((x, i) => x * (1 - kept[i]! ** 2) * mask[i]!);
    const found = await run({
      variant: quick,
      shape,
      a,
      b,
      c: scaled,
      rows,
      control,
      epilogue: () => ({ type: "delta", activation: "tanh", dropout }),
    });
    expect(worst(found.c, want, scaleOf(product))).toBeLessThan(2e-6);
  });
});
