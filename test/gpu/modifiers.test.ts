// Modifiers as values, on both engines, against numbers worked out by hand.
import { describe, expect, it } from "vitest";
import { accumulate } from "../../src/modifiers/accumulate.ts";
import { cautious } from "../../src/modifiers/cautious.ts";
import { cautiousDecay } from "../../src/modifiers/cautious_decay.ts";
import { centralize } from "../../src/modifiers/centralize.ts";
import { clipValue } from "../../src/modifiers/clip_value.ts";
import { ema } from "../../src/modifiers/ema.ts";
import { skipNonFinite } from "../../src/modifiers/skip_non_finite.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { lion } from "../../src/rules/lion.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { engines } from "./engines.ts";

describe.each(engines)("on the %s", (_, create) => {
  const close = (found: ArrayLike<number>, wanted: readonly number[]) => {
    expect(Array.from(found).length).toBe(wanted.length);
    wanted.forEach((value, i) => {
      if (Number.isNaN(value)) expect(found[i]).toBeNaN();
      else expect(found[i]).toBeCloseTo(value, 5);
    });
  };

  it.each([
    ["the last dimension", { shape: [2, 3] }, [], [-2, -1, -3, 2, 1, 3]],
    ["the first of the layout out-in", { shape: [2, 3], layout: "out-in" }, [], [-1, 0, 1, -1, -2, 3]],
    // Means of 1, 3, 4 and of 2, 5, 9.
    ["the last of four", { shape: [3, 1, 1, 2] }, [], [-5 / 3, -10 / 3, 1 / 3, -1 / 3, 4 / 3, 11 / 3]],
    ["nothing of a vector", { shape: [6] }, [], [1, 2, 3, 5, 4, 9]],
    ["behind clipping", { shape: [2, 3] }, [clipValue({ maxValue: 4 })], [-1.5, -1, -0.5, 1.5, 1, 0.5]],
  ] as const)("centralize takes the mean over all but %s", async (_name, tensor, before, centered) => {
    const tensors = [
      { name: "other", shape: [5, 7] },
      { name: "w", ...tensor },
    ];
    const config = sgd({
      lr: 1,
      modifiers: [centralize(), ...before, skipNonFinite(false)],
      replicas: [{}, { lr: 2 }],
    });
    const optimizer = await create(tensors as never, config as never);
    const gradient = [1, 2, 3, 5, 4, 9];
    for (const replica of [0, 1]) optimizer.write("gradients", { w: gradient }, { replica });
    optimizer.step();
    for (const replica of [0, 1]) {
      close(
        (await optimizer.read("params", { replica })).w!,
        centered.map((g) => -(replica + 1) * g),
      );
    }
    optimizer.destroy();
  });

  it("cautious keeps what is NaN, and drops what goes against the gradient", async () => {
    const tensors = [{ name: "w", shape: [4], data: [1, 2, 3, 4] }];
    const config = sgd({ lr: 1, momentum: 1, modifiers: [cautious(), skipNonFinite(false)] });
    const optimizer = await create(tensors as never, config as never);
    optimizer.write("gradients", { w: [4, 0.5, 0.5, 0.5] });
    optimizer.step();
    optimizer.write("gradients", { w: [-1, Number.NaN, 0.5, 0.5] });
    optimizer.step();
    // The first moves against its gradient, so half of the update is left, as far as it is a number, and counts twice.
    close((await optimizer.read()).w!, [-3, Number.NaN, 0.5, 1.5]);
    optimizer.destroy();
  });

  it("cautiousDecay decays where update and parameter agree in sign, or there is no update", async () => {
    const tensors = [{ name: "w", shape: [5], data: [1, 1, -1, -1, 2] }];
    const config = lion({
      lr: 0.1,
      weightDecay: 0.5,
      modifiers: [ema({ decay: 0.5, warmup: false }), cautiousDecay()],
    });
    const optimizer = await create(tensors as never, config as never);
    optimizer.write("gradients", { w: [1, -1, 1, -1, 0] });
    optimizer.step();
    const wanted = [0.95 - 0.1, 1 + 0.1, -1 - 0.1, -0.95 + 0.1, 1.9];
    close((await optimizer.read()).w!, wanted);
    close(
      (await optimizer.read("ema")).w!,
      wanted.map((value, i) => (value + tensors[0]!.data[i]!) / 2),
    );
    optimizer.destroy();
  });

  it("cautiousDecay refuses rules whose decay is part of the update", async () => {
    const make = async () =>
      create([{ name: "w", shape: [1] }] as never, sgd({ modifiers: [cautiousDecay()] }) as never);
    await expect(make()).rejects.toThrow(
      /^cautiousDecay is true; with rule sgd, whose decay is part of the update, it must be false$/,
    );
  });

  it("values are the same as their keys in JSON, and each key is given once", async () => {
    const tensors = [{ name: "w", shape: [1] }];
    const optimizer = await create(
      tensors as never,
      lion({ modifiers: [accumulate(3), clipValue({ maxValue: 2 }), centralize(), skipNonFinite(false)] }) as never,
    );
    expect(JSON.parse(JSON.stringify(configOf(optimizer)))).toMatchObject({
      accumulate: 3,
      clip: { type: "value", maxValue: 2 },
      centralize: true,
      skipNonFinite: false,
      ema: null,
    });
    const again = await create(tensors as never, configOf(optimizer) as never);
    expect(JSON.stringify(configOf(again))).toBe(JSON.stringify(configOf(optimizer)));
    for (const each of [optimizer, again]) each.destroy();
    const make = async (config: object) => create(tensors as never, config as never);
    await expect(make(readConfig({ rule: lion, ema: {}, modifiers: [ema()] }))).rejects.toThrow(
      /^lion.modifiers has ema, but ema is already given; it must be given once$/,
    );
    await expect(make(lion({ modifiers: [{ ema: {} } as never] }))).rejects.toThrow(
      /^lion.modifiers\[0\] is \{.*\}; it must be a modifier, such as ema\(\{ decay: 0.99 \}\)$/,
    );
  });
});
