// Whole vectors on the GPU and their CPU reference, against float64: odd lengths, several pieces, replicas, and the same bits
// in every run.
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import * as reference from "../../src/engines/cpu/vectors.ts";
import { allocate, bytesOf } from "../../src/engines/gpu/allocate.ts";
import { encodeDispatches } from "../../src/engines/gpu/kernel.ts";
import { readParts } from "../../src/engines/gpu/readback.ts";
import { compileVectors, type Scalar, type Vector } from "../../src/engines/gpu/vectors.ts";
import { freshDevice } from "./setup.ts";

const random = new Random(11);

/** Values of every replica by piece; gaps between replicas, and what comes before the first, hold what must not be read. */
function piecesOf(lengths: readonly number[], replicas: number, value = () => random.normal()) {
  return lengths.map((length) => {
    const stride = length + 3;
    const data = new Float32Array(5 + stride * replicas).fill(Number.NaN);
    for (let r = 0; r < replicas; r++) for (let i = 0; i < length; i++) data[5 + r * stride + i] = value();
    return {
      data,
      stride,
      of: (from: Float32Array, r: number) => from.subarray(5 + r * stride, 5 + r * stride + length),
    };
  });
}

type Made = ReturnType<typeof piecesOf>;

async function compute(lengths: readonly number[], replicas: number, xs: Made, ys: Made) {
  const device = await freshDevice();
  const vectors = await compileVectors(device, lengths, replicas);
  const { made, buffers } = await allocate(device, "vectors", (create) => {
    const operations = vectors(create);
    const upload = (pieces: Made): Vector =>
      pieces.map(({ data, stride }) => ({
        buffer: create("piece", data.byteLength, bytesOf(data)),
        offset: 20,
        stride,
      }));
    const [x, y] = [upload(xs), upload(ys)];
    const results = create("results", 4 * 3 * replicas);
    const scalar = (index: number): Scalar => ({ buffer: results, index, stride: 3 });
    const [dot, norm, length] = [scalar(0), scalar(1), scalar(2)];
    const dispatches = [
      ...operations.dot(x, y, dot),
      ...operations.norm(x, norm),
      ...operations.axpy({ scalar: dot, times: -0.5 }, x, y),
      ...operations.scale({ scalar: norm }, y),
      ...operations.norm(y, length),
    ];
    return { dispatches, results, y };
  });
  const wanted = [made.results, ...made.y.map(({ buffer }) => buffer)].map((buffer, i) => {
    return { buffer, offset: 0, bytes: i === 0 ? 12 * replicas : ys[i - 1]!.data.byteLength };
  });
  const [results, ...changed] = await readParts(device, wanted, (encoder) => {
    const pass = encoder.beginComputePass();
    encodeDispatches(pass, made.dispatches);
    pass.end();
  });
  for (const buffer of buffers) buffer.destroy();
  return { results: new Float32Array(results!), changed: changed.map((bytes) => new Float32Array(bytes)) };
}

const near = (a: number, b: number, scale: number) => expect(Math.abs(a - b)).toBeLessThanOrEqual(2e-6 * scale);

describe("vectors", () => {
  it.each([
    [[1], 1],
    [[7, 4096, 3], 2],
    [[65_537], 1],
    [[4097, 255, 12_289], 2],
  ])("of lengths %j in %i replicas", async (lengths, replicas) => {
    const [xs, ys] = [piecesOf(lengths, replicas), piecesOf(lengths, replicas)];
    const { results, changed } = await compute(lengths, replicas, xs, ys);
    for (let r = 0; r < replicas; r++) {
      const x = xs.map(({ of, data }) => Float64Array.from(of(data, r)));
      const y = ys.map(({ of, data }) => Float64Array.from(of(data, r)));
      const [dot, norm, length] = results.subarray(3 * r, 3 * r + 3);
      const size = reference.norm(x);
      near(dot!, reference.dotOf(x, y), size * reference.norm(y));
      near(norm!, size, size);
      reference.axpy(-0.5 * dot!, x, y);
      reference.scale(norm!, y);
      near(length!, reference.norm(y), reference.norm(y));
      for (const [piece, values] of y.entries()) {
        const there = ys[piece]!.of(changed[piece]!, r);
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        for (const [i, value] of values.entries()) near(there[i]!, value, largest);
      }
    }
    // What lies between replicas stays.
    for (const [piece, { data, stride }] of ys.entries()) {
      const gap = 5 + stride * replicas - 3;
      expect([...changed[piece]!.subarray(0, 5), ...changed[piece]!.subarray(gap)].every(Number.isNaN)).toBe(true);
      expect(changed[piece]!).toHaveLength(data.length);
    }
    const again = await compute(lengths, replicas, xs, ys);
    expect(again).toEqual({ results, changed });
  });

  it("have norms where squares leave float32", async () => {
    const lengths = [5000];
    const large = piecesOf(lengths, 1, () => 1e30);
    const { results } = await compute(
      lengths,
      1,
      large,
      piecesOf(lengths, 1, () => 0),
    );
    near(results[1]! / 1e30, Math.sqrt(5000), 71);
    const infinite = piecesOf(lengths, 1, () => Number.POSITIVE_INFINITY);
    expect((await compute(lengths, 1, infinite, piecesOf(lengths, 1))).results[1]).toBe(Number.POSITIVE_INFINITY);
  });

  it("are added up by hand in the reference", () => {
    const [x, y] = [
      [Float32Array.of(1, 2), Float32Array.of(2)],
      [Float32Array.of(3, -1), Float32Array.of(0.5)],
    ];
    expect(reference.dotOf(x!, y!)).toBe(2);
    expect(reference.norm(x!)).toBe(3);
    reference.axpy(2, x!, y!);
    expect(y).toEqual([Float32Array.of(5, 3), Float32Array.of(4.5)]);
    reference.scale(2, y!);
    expect(y).toEqual([Float32Array.of(10, 6), Float32Array.of(9)]);
  });
});
