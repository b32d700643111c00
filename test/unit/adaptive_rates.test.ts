// Three updates of one parameter by the rules whose rate finds itself and for which no golden case exists. The numbers
// were worked out apart from the rules, from the papers' formulas: in fractions for SGD, to 40 digits for the others.
import { expect, it } from "vitest";
import { dadaptAdam } from "../../src/rules/dadapt_adam.ts";
import { hypergradientAdam } from "../../src/rules/hypergradient_adam.ts";
import { hypergradientSgd } from "../../src/rules/hypergradient_sgd.ts";
import type { Rule } from "../../src/rules/rule.ts";

interface Known {
  readonly name: string;
  readonly rule: Rule;
  readonly hypers: Readonly<Record<string, number>>;
  readonly lr?: readonly number[];
  readonly flags?: readonly string[];
  readonly gradients: readonly number[];
  /** The scalar to compare, and the pairs of parameter and scalar after each update; the parameter starts at 2. */
  readonly scalar: string;
  readonly expected: readonly (readonly [number, number])[];
}

const adaptation = { beta1: 0.5, beta2: 0.0625, eps: 0.125, weightDecay: 0.25, d0: 0.125 };

const cases: readonly Known[] = [
  {
    name: "D-Adapt Adam with L2 decay",
    rule: dadaptAdam,
    hypers: adaptation,
    lr: [2, 2, 1],
    gradients: [1, 2, 4],
    scalar: "d",
    expected: [
      [1.8811311562840793, 0.125],
      [1.7229170001837864, 0.20640455136207017],
      [1.5751805722665548, 0.2676677190387105],
    ],
  },
  {
    name: "D-Adapt Adam with decoupled decay, bias correction and a limit to growth",
    rule: dadaptAdam,
    hypers: { ...adaptation, growthRate: 1.125 },
    lr: [2, 2, 1],
    flags: ["decoupledWeightDecay", "useBiasCorrection"],
    gradients: [1, 2, 4],
    scalar: "d",
    expected: [
      [1.536523145490913, 0.125],
      [1.190237770507241, 0.140625],
      [1.006332964214672, 0.158203125],
    ],
  },
  {
    name: "hypergradient SGD",
    rule: hypergradientSgd,
    hypers: { lr: 0.5, hyperLr: 0.25 },
    gradients: [1, 0.5, -0.25],
    scalar: "rate",
    // 2 - 0.5·1; 0.5 + 0.25·0.5·1, 1.5 - 0.625·0.5; 0.625 - 0.25·0.25·0.5, 1.1875 + 0.59375·0.25
    expected: [
      [1.5, 0.5],
      [1.1875, 0.625],
      [1.3359375, 0.59375],
    ],
  },
  {
    name: "hypergradient SGD with momentum, dampening and decay",
    rule: hypergradientSgd,
    hypers: { lr: 0.5, hyperLr: 0.25, momentum: 0.5, dampening: 0.25, weightDecay: 0.125 },
    gradients: [1, 0.5, -0.25],
    scalar: "rate",
    expected: [
      [1.375, 0.5],
      [0.5735206604003906, 0.7099609375],
      [0.2894012972962823, 0.6596371424384415],
    ],
  },
  {
    name: "hypergradient SGD with Nesterov's momentum and decay",
    rule: hypergradientSgd,
    hypers: { lr: 0.5, hyperLr: 0.25, momentum: 0.5, weightDecay: 0.125 },
    flags: ["nesterov"],
    gradients: [1, 0.5, -0.25],
    scalar: "rate",
    expected: [
      [1.0625, 0.5],
      [0.05737590789794922, 0.796630859375],
      [0.09322568757547588, 0.7200356955872849],
    ],
  },
  {
    name: "hypergradient Adam",
    rule: hypergradientAdam,
    hypers: { lr: 0.5, hyperLr: 0.25, beta1: 0.5, beta2: 0.75, eps: 0.125, weightDecay: 0.125 },
    gradients: [1, 0.5, -0.25],
    scalar: "rate",
    expected: [
      [1.5454545454545454, 0.5],
      [1.0185688410353098, 0.6575413223140496],
      [0.7933567650074116, 0.6329657733151722],
    ],
  },
];

it.each(cases)("$name: the parameter and the rate of three updates", ({ rule, lr, scalar, ...known }) => {
  const { sums, scalars, advances = [], measure, conclude } = rule.reduction!;
  const defaults = Object.fromEntries(Object.entries(rule.hypers).map(([name, hyper]) => [name, hyper.default]));
  const flags = Object.fromEntries(Object.keys(rule.flags).map((name) => [name, !!known.flags?.includes(name)]));
  const x: Record<string, number> & { p: number; step: number; decay: number } = { p: 2, step: 0, decay: 0 };
  for (const slot of rule.slots) x[slot] = 0;
  const r: Record<string, number> = {};
  let carry: Record<string, number> = {};
  known.expected.forEach(([p, value], step) => {
    const h = { ...defaults, ...known.hypers, ...(lr && { lr: lr[step]! }) };
    if (step === 0) carry = rule.carry?.start(h) ?? {};
    const row = rule.row(h, step + 1, carry, flags, () => h);
    if (step === 0) {
      for (const [name, start] of Object.entries(scalars)) r[name] = typeof start === "number" ? start : row[start]!;
    }
    const g = known.gradients[step]!;
    const measured = { ...x };
    const terms = measure(measured, g, row, r, flags);
    for (const slot of advances) x[slot] = measured[slot]!;
    conclude({ ...Object.fromEntries(sums.map((name) => [name, terms[name]!])), count: 1 }, r, row, flags);
    rule.update(x, g, row, flags, r);
    x.p -= x.step;
    carry = rule.carry?.next(carry, h, step + 1, () => h) ?? {};
    expect(x.p).toBeCloseTo(p, 14);
    expect(r[scalar]).toBeCloseTo(value, 14);
  });
});
