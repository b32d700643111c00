// Both forms in which tensors are given, and what calls say of which group or replica they are about.
import { describe, expect, it } from "vitest";
import { adamw, createCpuOptimizer, layerwiseDecay, noDecay, setRows, type Tensors } from "../../src/index.ts";

describe("tensors by name", () => {
  const data = [1, 2, 3, 4];
  const list = [
    { name: "w", shape: [2, 2], data, layout: "out-in" as const },
    { name: "b", shape: [3] },
  ];

  it("are those of a list", async () => {
    const byName = createCpuOptimizer({ w: { shape: [2, 2], data, layout: "out-in" }, b: [3] }, adamw());
    const listed = createCpuOptimizer(list, adamw());
    expect(byName.segments).toEqual(listed.segments);
    expect(await byName.read()).toEqual(await listed.read());
    expect((await byName.read()).b).toEqual(new Float32Array(3));
  });

  it("make the same groups", () => {
    const [named, tensors] = [
      { "layers.0.w": [2, 2], "layers.1.w": [2, 2], b: [3] },
      [] as { name: string; shape: number[] }[],
    ];
    for (const [name, shape] of Object.entries(named)) tensors.push({ name, shape });
    expect(noDecay(named)).toEqual([{ params: ["b"], weightDecay: 0 }]);
    expect(noDecay(named)).toEqual(noDecay(tensors));
    expect(layerwiseDecay(named, { decay: 0.5 })).toEqual(layerwiseDecay(tensors, { decay: 0.5 }));
  });

  it("are shown as they are, and not changed through what is shown", async () => {
    const optimizer = createCpuOptimizer(list, adamw());
    const shown = optimizer.segments as unknown as { length: number; shape: number[] }[];
    expect(() => Object.assign(shown[0]!, { length: 3 })).toThrow(TypeError);
    expect(() => shown[0]!.shape.push(3)).toThrow(TypeError);
    shown.length = 0;
    await setRows(optimizer, "b", 2);
    expect(optimizer.segments.map(({ shape }) => shape)).toEqual([[2, 2], [2]]);
    expect(Object.keys(await optimizer.read())).toEqual(["w", "b"]);
    for (const { shape } of optimizer.segments) expect(Object.isFrozen(shape)).toBe(true);
  });

  it("may be called anything", () => {
    const optimizer = createCpuOptimizer(JSON.parse('{ "__proto__": [2], "toString": [3] }') as Tensors, adamw());
    expect(optimizer.segments.map(({ name }) => name)).toEqual(["__proto__", "toString"]);
  });

  it.each([
    [
      {},
      /^tensors is \{\}; it must be an array of at least one \{ name, shape, data \}, or an object of shapes by name$/,
    ],
    [undefined, /^tensors is missing; it must be an array of at least one/],
    ["w", /^tensors is "w"; it must be an array/],
    [{ w: 5 }, /^tensors\.w is 5; it must be a shape, such as \[100, 10\], or an object with shape, data, layout/],
    [{ w: [2, 0] }, /^the shape of tensor "w" is \[2,0\]; it must hold whole numbers >= 1$/],
    [{ w: {} }, /^the shape of tensor "w" is undefined; it must hold whole numbers >= 1$/],
    [{ w: { shape: [2], data: [1] } }, /^the data of tensor "w" has 1 elements; its shape \[2\] holds 2$/],
    [{ w: { shape: [2], name: "v" } }, /^tensors\.w has an unknown option "name"; the options are shape, data/],
  ])("%j is refused in one sentence", (tensors, message) => {
    expect(() => createCpuOptimizer(tensors as Tensors, adamw())).toThrow(message);
  });

  it("are checked as types", () => {
    // @ts-expect-error A shape holds numbers.
    expect(() => createCpuOptimizer({ w: ["2"] }, adamw())).toThrow(/shape of tensor "w"/);
    // @ts-expect-error The name is the key.
    expect(() => createCpuOptimizer({ w: { name: "w", shape: [2] } }, adamw())).toThrow(/unknown option "name"/);
  });
});

describe("which group and replica", () => {
  const make = () => createCpuOptimizer({ w: [2], b: [1] }, adamw({ replicas: [{}, {}], groups: [{ params: "b" }] }));

  it("is an object's", async () => {
    const optimizer = make();
    optimizer.set({ lr: 0.5 }, { group: 0, replica: 1 });
    expect(optimizer.hyper("lr", 0, { group: 0, replica: 1 })).toBe(0.5);
    expect(optimizer.hyper("lr", 0, { group: 1, replica: 1 })).toBe(1e-3);
    expect(optimizer.hyper("lr", 0, { replica: 0 })).toBe(1e-3);
    optimizer.write("params", { w: [1, 2] }, { replica: 1 });
    expect((await optimizer.read("params", { replica: 1 })).w).toEqual(Float32Array.of(1, 2));
    expect(optimizer.view("params", "w", { replica: 1 })).toEqual(Float32Array.of(1, 2));
    expect((await optimizer.read()).w).toEqual(new Float32Array(2));
    optimizer.halt(1);
    expect(optimizer.progress({ replica: 1 })).toEqual({ step: 0, lossScale: 1, halted: true });
    expect(optimizer.progress()).toEqual({ step: 0, lossScale: 1, halted: false });
  });

  it("is refused as a number, and out of range", async () => {
    const optimizer = make();
    await expect(optimizer.read("params", 1 as never)).rejects.toThrow(
      /^read is 1; it must be an object with replica$/,
    );
    expect(() => optimizer.write("params", {}, 1 as never)).toThrow(/^write is 1; it must be an object with replica$/);
    expect(() => optimizer.set({}, 1 as never)).toThrow(/^set is 1; it must be an object with group, replica$/);
    expect(() => optimizer.freeze(1 as never)).toThrow(/^freeze is 1; it must be an object with group$/);
    expect(() => optimizer.freeze({ replica: 1 } as never)).toThrow(/^freeze has an unknown option "replica"/);
    await expect(optimizer.stats({ replica: 2 })).rejects.toThrow(/^replica is 2; it must be/);
    expect(() => optimizer.progress({ replica: -1 })).toThrow(/^replica is -1; it must be/);
    expect(() => optimizer.view("params", "x")).toThrow(
      /^view names "x", which is not a tensor; the tensors are w, b$/,
    );
    expect(() => optimizer.view("n", "w")).toThrow(/^role is "n"; it must be one of params, gradients, /);
  });
});
