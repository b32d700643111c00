// The laws of curvature, on whichever engine: Hessians that are known by formula and from PyTorch, bounds that hold, replicas,
// blocks, preconditioners, and what measuring again costs.

import { expect, it } from "vitest";
import { OptionError } from "../src/base/errors.ts";
import { openVectors } from "../src/engines/open_vectors.ts";
import { alone, at } from "../src/engines/vectors.ts";
import { edgeCase, readEdges } from "../src/lab/edges.ts";
import { readSpectra, spectrumCase } from "../src/lab/spectra.ts";
import { createMeter, density, edge, eigenvalues, sharpness, trace } from "../src/objectives/curvature/functions.ts";
import { digitsDataset } from "../src/objectives/data/digits.ts";
import { createLandscape } from "../src/objectives/landscapes/index.ts";
import { quadratic } from "../src/objectives/landscapes/quadratic.ts";
import { createLbfgs } from "../src/objectives/lbfgs/lbfgs.ts";
import { createModel } from "../src/objectives/models/index.ts";
import { initialTensors } from "../src/objectives/program.ts";
import { adam } from "../src/rules/adam.ts";
import { lion } from "../src/rules/lion.ts";
import { type sgd as Sgd, sgd } from "../src/rules/sgd.ts";
import { createTrainee, type Engine } from "../src/train/engine.ts";
import { golden, goldenText } from "./golden.ts";

const digits = digitsDataset(goldenText("digits.json"), "digits");
const recorded = golden<{ spectra: object[]; edges: { losses: number[]; sharpness: [number, number][] }[] }>(
  "curvature.json",
);
const rows = Uint32Array.from({ length: 60 }, (_, i) => i);

/** Curvatures from 1 to 8 along axes that are turned. */
const spectrum = Array.from({ length: 40 }, (_, i) => 1 + (7 * i) / 39);

/** @param steps Losses of the recorded runs that are made. */
export function curvatureLaws(engine: Engine, { steps }: { readonly steps: number }): void {
  const exact = engine.backend === "cpu" ? 1e-7 : 1e-4;
  const bowl = (config: Parameters<Engine["optimizer"]>[1] = sgd()) => {
    const landscape = createLandscape(quadratic({ spectrum, angle: 0.4 }));
    return createTrainee(engine, landscape, initialTensors(landscape), config);
  };
  const network = (config: ReturnType<typeof Sgd> = sgd({ lr: 0.5 })) => {
    const model = createModel({ layers: [64, 6, 10], activation: "tanh" });
    return createTrainee(engine, model, initialTensors(model, { seed: 3 }), config, { data: digits, batch: 60 });
  };
  const near = (value: number, wanted: number, share: number) =>
    expect(Math.abs(value / wanted - 1)).toBeLessThan(share);

  it("is that of a quadratic: eigenvalues, traces and the mean of the density", async () => {
    const { objective, optimizer, destroy } = await bowl();
    const before = await optimizer.read();
    const { largest, smallest, converged, method } = await eigenvalues(objective, { largest: 3, smallest: 2 });
    expect([converged, method]).toEqual([true, "differences"]);
    for (const [i, { value, bound }] of [...largest, ...smallest].entries()) {
      const wanted = spectrum[i < 3 ? 39 - i : i - 3]!;
      near(value, wanted, 1e-3);
      expect(Math.abs(value - wanted)).toBeLessThanOrEqual(bound + exact * wanted);
    }
    const sum = spectrum.reduce((total, value) => total + value, 0);
    const squares = spectrum.reduce((total, value) => total + value ** 2, 0);
    const whole = await trace(objective, { products: 40 });
    near(whole.value, sum, exact);
    near(whole.square.value, squares, exact);
    expect([whole.error, whole.square.error]).toEqual([0, 0]);
    const part = await trace(objective, { products: 30, seed: 5 });
    expect(part.products).toBe(30);
    expect(Math.abs(part.value - sum)).toBeLessThan(4 * part.error);
    expect(Math.abs(part.square.value - squares)).toBeLessThan(4 * part.square.error);
    const { points, curve } = await density(objective, { probes: 2, steps: 20 });
    near(
      points.reduce((total, { weight }) => total + weight, 0),
      1,
      exact,
    );
    near(
      points.reduce((total, { value, weight }) => total + weight * value, 0),
      sum / 40,
      0.1,
    );
    const apart = curve.x[1]! - curve.x[0]!;
    near(
      curve.y.reduce((total, y) => total + y * apart, 0),
      1,
      0.01,
    );
    expect(await optimizer.read()).toEqual(before);
    destroy();
  });

  it("is seen through Adam's second moment, whose edge is 38 / lr", async () => {
    const landscape = createLandscape(quadratic({ spectrum: [1, 2, 3, 10] }));
    const { objective, optimizer, destroy } = await createTrainee(
      engine,
      landscape,
      initialTensors(landscape),
      adam({ lr: 0.01, eps: 0.5 }),
    );
    await expect(sharpness(objective, { precondition: optimizer })).rejects.toThrow(
      "precondition has made no update yet",
    );
    optimizer.step();
    optimizer.write("v", { points: [1, 4, 9, 400].map((v) => v * 0.001) });
    // v̂ is v / (1 - β2): P = √v̂ + eps.
    const wanted = [1 / 1.5, 2 / 2.5, 3 / 3.5, 10 / 20.5].sort((a, b) => b - a);
    const { largest } = await eigenvalues(objective, { precondition: optimizer, largest: 4 });
    for (const [i, { value }] of largest.entries()) near(value, wanted[i]!, 10 * exact);
    near(edge(optimizer), 38 / 0.01, 1e-9);
    destroy();
  });

  it("is each replica's as if alone, and for some tensors their block's", async () => {
    const { objective, optimizer, destroy } = await network(sgd({ lr: 0.1, replicas: [{}, {}] }));
    const values = await optimizer.read();
    const doubled = Object.entries(values).map(([name, data]) => [name, data.map((value) => 2 * value)] as const);
    optimizer.write("params", Object.fromEntries(doubled), { replica: 1 });
    const both = await sharpness(objective, { rows, tolerance: 1e-3 });
    expect(both.replicas).toHaveLength(2);
    for (const replica of [0, 1]) {
      const alone = await sharpness(objective, { rows, replica, tolerance: 1e-3 });
      near(both.replicas[replica]!.value, alone.value, 1e-3);
    }
    const tensors = "layer2.bias";
    const block = await eigenvalues(objective, { rows, tensors, largest: 10, replica: 0 });
    const sum = await trace(objective, { rows, tensors, products: 10, replica: 0 });
    const added = block.largest.reduce((total, { value }) => total + value, 0);
    near(added, sum.value, 100 * exact);
    expect(block.largest).toHaveLength(10);
    destroy();
  });

  it("is measured again from where it was left, within 40 gradients", async () => {
    const { objective, optimizer, destroy } = await network();
    const meter = await createMeter(objective, { rows });
    const first = await meter.measure();
    expect(await meter.measure()).toMatchObject({ converged: true, products: 2, gradients: 4 });
    for (let i = 0; i < 5; i++) await objective.step(rows);
    const before = await optimizer.read();
    const next = await meter.measure();
    expect(next.converged).toBe(true);
    expect(next.gradients).toBeLessThanOrEqual(40);
    near(next.value, (await sharpness(objective, { rows, tolerance: 1e-3 })).value, 0.01);
    expect(next.value).not.toBe(first.value);
    expect(await optimizer.read()).toEqual(before);
    meter.reset();
    expect((await meter.measure()).products).toBeGreaterThan(next.products - 1);
    meter.destroy();
    destroy();
  });

  it("says with bounds that it has not converged", async () => {
    const { objective, destroy } = await bowl();
    const found = await eigenvalues(objective, { products: 3, largest: 1 });
    expect(found.converged).toBe(false);
    expect(found.largest[0]!.bound).toBeGreaterThan(0.01);
    const one = await sharpness(objective, { products: 2, tolerance: 1e-6 });
    expect(one.converged).toBe(false);
    expect(8 - one.value).toBeLessThan(8);
    destroy();
  });

  it("refuses invalid input in a sentence", async () => {
    const { objective, optimizer, destroy } = await network();
    await expect(sharpness(objective)).rejects.toThrow("rows is missing; it must be a Uint32Array of row numbers");
    await expect(sharpness(objective, { rows, tolerance: 2 })).rejects.toThrow(
      "tolerance is 2; it must be a finite number",
    );
    await expect(sharpness(objective, { rows, tensors: "none" })).rejects.toThrow("matches no tensor");
    await expect(trace(objective, { rows, products: 1 })).rejects.toThrow(
      "products is 1; it must be a whole number in [6, 2147483648]",
    );
    await expect(density(objective, { rows, steps: 1 })).rejects.toThrow("steps is 1");
    await expect(eigenvalues(objective, { rows, precondition: optimizer })).rejects.toThrow(
      'precondition is an optimizer with rule "sgd"; its rule must keep a second moment "v"',
    );
    expect(edge(optimizer)).toBe(4);
    const other = await engine.optimizer([{ name: "a", shape: [1] }], lion());
    expect(() => edge(other)).toThrow(OptionError);
    other.destroy();
    const space = await openVectors(optimizer);
    const block = await space.create(1);
    destroy();
    await expect(sharpness(objective, { rows })).rejects.toThrow("destroyed");
    await expect(createLbfgs(optimizer)).rejects.toThrow("a destroyed optimizer");
    expect(() => space.dots(alone(at(block)), at(block), 0)).toThrow("a destroyed optimizer");
  });

  it.each(readSpectra(recorded.spectra))("curvature.json: $id", async (entry) => {
    const short = { ...entry, trace: undefined, traceOfSquare: undefined };
    expect(await spectrumCase(short, engine, digits)).toMatchObject({ ok: true, worst: expect.any(Number) });
  });

  it.each(
    readEdges(
      recorded.edges.map((entry) => ({
        ...entry,
        losses: entry.losses.slice(0, steps),
        sharpness: entry.sharpness.filter(([step]) => step < steps && step % 50 === 0),
      })),
    ),
  )("curvature.json: $id, its beginning", async (entry) => {
    expect(await edgeCase(entry, engine, digits)).toMatchObject({ ok: true, worst: expect.any(Number) });
  });
}
