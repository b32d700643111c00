// That slot storage is a seam: a format that the library does not have, defined here, under a rule on both engines, against
// an oracle that rounds where the format does.
import { describe, expect, it } from "vitest";
import { reductionStage } from "../../src/engines/stages/reduction.ts";
import { wordState } from "../../src/engines/stages/state.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { defineRule } from "../../src/rules/custom.ts";
import type { SlotFormat } from "../../src/rules/slot_format.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { device } from "./setup.ts";

/** The upper half of a float32, rounded to even; two to a word. */
const bfloat16: SlotFormat = {
  name: "bfloat16",
  words: 2,
  snippets: {
    state: wordState,
    access: {
      name: "bfloat16 of the test",
      text: `
fn load_bfloat16(word: u32) -> vec4f {
  let two = vec2u(state[word], state[word + 1u]);
  return bitcast<vec4f>(vec4u(two.x << 16u, two.x & 0xffff0000u, two.y << 16u, two.y & 0xffff0000u));
}

fn store_bfloat16(word: u32, x: vec4f) {
  let bits = bitcast<vec4u>(x);
  let halves = (bits + 0x7fffu + ((bits >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
  state[word] = halves.x | (halves.y << 16u);
  state[word + 1u] = halves.z | (halves.w << 16u);
}
`,
    },
  },
  encode(values) {
    const words = new Uint32Array(2 * Math.ceil(values.length / 4));
    const halves = new Uint16Array(words.buffer);
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    bits.forEach((word, i) => {
      halves[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
    });
    return words;
  },
  decode(words, length) {
    const halves = new Uint16Array(words.buffer, words.byteOffset, 2 * words.length);
    return new Float32Array(Uint32Array.from({ length }, (_, i) => halves[i]! << 16).buffer);
  },
};

const rounded = (value: number) => bfloat16.decode!(bfloat16.encode!(Float32Array.of(value)), 1)[0]!;

/** Momentum in bfloat16 between two slots in float32. */
const rule = defineRule({
  name: "narrowMomentum",
  source: "this test",
  hypers: { lr: { default: 0.1, range: { min: 0 } } },
  flags: {},
  slots: ["first", "m", "v"],
  formats: { m: bfloat16 },
  starts: { first: "p" },
  row: (h) => ({ lr: h.lr }),
  wgsl: `
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  y.m = 0.875 * x.m + 0.125 * gradient;
  y.v = x.v + gradient * gradient;
  y.step = h.lr * y.m / (1.0 + sqrt(y.v)) - 0.125 * (x.first - x.p);
  return y;
}`,
  update(x, g, h) {
    x.m = 0.875 * x.m + 0.125 * g;
    x.v += g * g;
    x.step = (h.lr * x.m) / (1 + Math.sqrt(x.v)) - 0.125 * (x.first - x.p);
  },
});

const shapes = { w: [67, 61], b: [5], c: [] } as const;
const names = Object.keys(shapes) as (keyof typeof shapes)[];
const lengthOf = (name: keyof typeof shapes) => shapes[name].reduce<number>((product, size) => product * size, 1);
const values = (name: keyof typeof shapes, seed: number) =>
  Float32Array.from({ length: lengthOf(name) }, (_, i) => Math.sin(seed + 1.7 * i) * 1.3 ** ((i % 23) - 11));
const tensors = names.map((name, i) => ({ name, shape: shapes[name], data: values(name, i) }));
const config = { rule, lr: 0.1, ema: { decay: 0.5, warmup: false }, replicas: [{}, { lr: 0.3 }] } as never;

const gradients = (replica: number, step: number) =>
  Object.fromEntries(names.map((name, i) => [name, values(name, 10 * step + 3 * replica + i)]));

function advance(optimizer: Optimizer, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    for (const replica of [0, 1]) optimizer.write("gradients", gradients(replica, step), { replica });
    optimizer.step();
  }
}

/** What both engines are held to: every slot rounded as it is stored. */
function oracle(replica: number, steps: number) {
  return Object.fromEntries(
    names.map((name, i) => {
      const first = values(name, i);
      const cells = Array.from(first, (p) => ({ p, step: 0, decay: 0, first: p, m: 0, v: 0 }));
      for (let step = 0; step < steps; step++) {
        const g = gradients(replica, step)[name]!;
        cells.forEach((x, e) => {
          rule.update(x, g[e]!, { lr: replica === 0 ? 0.1 : 0.3 }, {}, {});
          [x.p, x.m, x.v] = [Math.fround(x.p - x.step), rounded(Math.fround(x.m)), Math.fround(x.v)];
        });
      }
      return [name, cells];
    }),
  );
}

describe("a slot in bfloat16 between slots in float32", () => {
  it.each(["cpu", "gpu"])("is what rounding makes of it, on the %s", async (engine) => {
    const make = async () =>
      engine === "cpu" ? createCpuOptimizer(tensors, config) : await createOptimizer(device, tensors, config);
    const optimizer = await make();
    advance(optimizer, 0, 5);
    for (const replica of [0, 1]) {
      const expected = oracle(replica, 5);
      const [p, m, v] = [
        await optimizer.read("params", { replica }),
        await optimizer.read("m", { replica }),
        await optimizer.read("v", { replica }),
      ];
      let others = 0;
      for (const name of names) {
        expect(m[name]!.length).toBe(lengthOf(name));
        expected[name]!.forEach((x, e) => {
          expect(m[name]![e]).toBe(rounded(m[name]![e]!));
          // What float32 rounds otherwise may fall to the other side.
          if (m[name]![e] !== x.m) others++;
          expect(Math.abs(m[name]![e]! - x.m)).toBeLessThanOrEqual(Math.abs(x.m) / 100 + 1e-9);
          expect(Math.abs(v[name]![e]! - x.v)).toBeLessThanOrEqual(1e-5 * x.v);
          expect(Math.abs(p[name]![e]! - x.p)).toBeLessThanOrEqual(engine === "cpu" ? 0 : 1e-3);
        });
      }
      expect(others).toBeLessThanOrEqual(engine === "cpu" ? 0 : 10);
    }
    // Saved and read as numbers, written back to the same bits.
    const next = await make();
    await loadCheckpoint(next, await saveCheckpoint(optimizer));
    for (const each of [optimizer, next]) advance(each, 5, 7);
    for (const role of ["params", "m", "v", "first", "ema"]) {
      expect(await next.read(role, { replica: 1 })).toEqual(await optimizer.read(role, { replica: 1 }));
    }
    next.write("m", { b: [1, -2.5, 2.7, 0, 1e-3] });
    expect([...(await next.read("m")).b!]).toEqual([1, -2.5, 2.7, 0, 1e-3].map(rounded));
    optimizer.destroy();
    next.destroy();
  });

  it.each(["cpu", "gpu"])("is rounded before the update where measure advances it, on the %s", async (engine) => {
    const advancing = defineRule({
      name: "narrowMeasured",
      source: "this test",
      hypers: { lr: { default: 0.5, range: { min: 0 } } },
      flags: {},
      slots: ["v", "m"],
      formats: { m: bfloat16 },
      row: (h) => ({ lr: h.lr }),
      reduction: {
        stage: reductionStage,
        scope: "tensor",
        sums: ["square"],
        scalars: { square: 0 },
        advances: ["m"],
        measure(x, g) {
          x.m = 0.875 * x.m + 0.125 * g;
          return { square: x.m * x.m };
        },
        conclude(s, r) {
          r.square = s.square;
        },
      },
      wgsl: `
fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Measured {
  var y = x;
  y.m = 0.875 * x.m + 0.125 * gradient;
  return Measured(y, Sums(y.m * y.m));
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  return Scalars(s.square);
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  y.v = x.v + 1.0;
  y.step = h.lr * x.m;
  return y;
}`,
      update(x, _, h) {
        x.v += 1;
        x.step = h.lr * x.m;
      },
    });
    const optimizer =
      engine === "cpu"
        ? createCpuOptimizer(tensors, { rule: advancing } as never)
        : await createOptimizer(device, tensors, { rule: advancing } as never);
    for (let step = 0; step < 2; step++) {
      const before = await optimizer.read("params");
      optimizer.write("gradients", gradients(0, step));
      optimizer.step();
      const [after, m, v] = [await optimizer.read("params"), await optimizer.read("m"), await optimizer.read("v")];
      for (const name of names) {
        expect(m[name]!.some((value) => value !== 0)).toBe(true);
        expect(after[name]).toEqual(before[name]!.map((p, e) => p - 0.5 * m[name]![e]!));
        expect(new Set(v[name])).toEqual(new Set([step + 1]));
      }
    }
    optimizer.destroy();
  });
});
