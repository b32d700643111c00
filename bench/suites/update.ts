// Suites "update" and "curve": one optimizer step from gradients that are ready on the device. Every rule of the registry at
// every size, with and without clipping; AdamW from a thousand parameters to 124 million, next to every alternative and to the
// limit set by the device's memory.
import { rules } from "../../src/index.ts";
import { update as copy } from "../engines/copy.ts";
import { update as fallline, updateOfOwnBuffers } from "../engines/fallline.ts";
import { update as naive } from "../engines/naive.ts";
import { update as plain } from "../engines/plain.ts";
import { rotated, setsOf } from "../engines/rotated.ts";
import { update as stream } from "../engines/stream.ts";
import type { Case, Contender, Runner, Tier } from "../suite.ts";
import { expectedOf, isChecked, isStream, slotsOf, startOf, type UpdateWork, updateWork } from "../update.ts";

// Each peer is imported for its turn, so that one that does not load spoils only its row.
const engines = {
  fallline,
  naive,
  tfjs: async (work) => (await import("../engines/tfjs.ts")).update(work),
  jaxjs: async (work) => (await import("../engines/jaxjs.ts")).update(work),
  plain,
  /** Ours without clipping, in the same rounds; its answer differs, and is not compared. */
  unclipped: async (work) => withoutAnswer(await fallline({ ...work, clip: false })),
  /** Ours on its own buffers, in cases where it otherwise gets the caller's. */
  arena: fallline,
  stream,
  copy,
} satisfies Record<string, (work: UpdateWork) => Promise<Runner>>;
export type Engine = keyof typeof engines;

const byTensorFlow = async (work: UpdateWork) => (await import("../engines/tfjs.ts")).updateByFallline(work);

const withoutAnswer = ({ answer: _, ...runner }: Runner): Runner => runner;

type Shapes = readonly (readonly number[])[];

interface Size {
  readonly name: string;
  readonly shapes: Shapes;
  /** As many elements in matrices, for rules made for them; none if there is no such shape. */
  readonly matrices?: Shapes;
}

const many = (count: number, shape: readonly number[]): Shapes => Array.from({ length: count }, () => shape);

/** The tensors of GPT-2 small: embeddings, twelve blocks of attention and MLP with their norms, the last norm. */
export function gpt2Small(): Shapes {
  const width = 768;
  const norm = [[width], [width]];
  const linear = (inputs: number, outputs: number) => [[inputs, outputs], [outputs]];
  const block = [
    ...norm,
    ...linear(width, 3 * width),
    ...linear(width, width),
    ...norm,
    ...linear(width, 4 * width),
    ...linear(4 * width, width),
  ];
  return [[50257, width], [1024, width], ...many(12, []).flatMap(() => block), ...norm];
}

const million: Size = { name: "1x1M", shapes: [[2 ** 20]], matrices: [[1024, 1024]] };
const many16k: Size = { name: "64x16k", shapes: many(64, [16_384]), matrices: many(64, [128, 128]) };
const many1k: Size = { name: "200x1k", shapes: many(200, [1024]), matrices: many(200, [32, 32]) };
/** Odd, and above a power of two. */
const odd: Size = { name: "1x16.8M", shapes: [[2 ** 24 + 1]] };
const gpt2: Size = { name: "gpt2-small 124M", shapes: gpt2Small() };

const sizes: readonly Size[] = [
  { name: "1x64k", shapes: [[65_536]], matrices: [[256, 256]] },
  million,
  odd,
  many16k,
  many1k,
  gpt2,
];

/** Only for the curve; AdamW's other sizes are points of it too. */
const curve: readonly Size[] = (
  [
    ["1x1k", 10],
    ["1x4k", 12],
    ["1x16k", 14],
    ["1x256k", 18],
    ["1x4M", 22],
    ["1x67M", 26],
  ] as const
).map(([name, exponent]) => ({ name, shapes: [[2 ** exponent]] }));

/** Above it, a step of tfjs, the naive kernel or plain loops takes seconds, and jax-js holds more than twice the memory. */
const mostOfPeers = 2 ** 25;

const quick: readonly string[] = [million, many16k, many1k].map(({ name }) => name);

const thorough: readonly string[] = ["adamw 1x1M", "adamw 1x1M clip", "adamw 64x16k", "adamw 200x1k", "adamw 1x16.8M"];

/** The rules that are also measured with many tensors: one slot, none, sums by tensor, matrices. */
const measuredTwice: readonly string[] = ["sgd", "lion", "lamb", "adafactor"];

function tierOf(rule: string, size: string, clip: boolean): Tier {
  if (rule === "adamw") return quick.includes(size) && !clip ? "quick" : "full";
  if (clip) return "every";
  // For a million elements, Muon's products take 32 billion operations.
  if (size === (rule === "muon" ? "1x64k" : million.name)) return "full";
  return size === many16k.name && measuredTwice.includes(rule) ? "full" : "every";
}

function enginesOf(work: UpdateWork): readonly Engine[] {
  const { rule, n, clip } = work;
  const ours: readonly Engine[] = clip ? ["fallline", "unclipped"] : ["fallline"];
  // The time of a matrix product has nothing to do with a stream's bytes.
  if (!isStream(work)) return ours;
  if (rule !== "adamw") return [...ours, "stream"];
  // Also with clipping, they would take a minute to show what a million parameters show.
  if (n > (clip ? 2 ** 23 : mostOfPeers)) return [...ours, "stream", "copy"];
  return [...ours, "naive", "tfjs", "jaxjs", "plain", "stream", "copy"];
}

/** An element that was left out or updated twice shows even among a million. tfjs's missing decay is 1e-3 of a step. */
const tolerance = { number: 1e-3, values: 0.005, each: 0.05 };

/** Further options of a case. */
interface More extends Pick<Case, "launch"> {
  /** Whether ours works on the caller's buffers, one for each tensor and role. */
  readonly ownBuffers?: boolean;
  /** Whether ours is the optimizer of TensorFlow.js, on its variables. */
  readonly ofTensorFlow?: boolean;
  /** Whether sets of buffers take turns, so that nothing is cached. */
  readonly rotated?: boolean;
}

export function updateCase(
  suite: string,
  name: string,
  tier: Tier,
  work: UpdateWork,
  names: readonly Engine[] = enginesOf(work),
  { rotated: rotates = false, ownBuffers = false, ofTensorFlow = false, ...more }: More = {},
): Case {
  // Parameters, gradients and slots, once each.
  const sets = setsOf(4 * (2 + slotsOf(work)) * work.n);
  const load = (engine: Engine) => {
    const isOurs = engine === "fallline";
    const once = () =>
      (isOurs && ownBuffers ? updateOfOwnBuffers : isOurs && ofTensorFlow ? byTensorFlow : engines[engine])(work);
    return rotates ? rotated(once, sets) : once();
  };
  return {
    ...{ suite, name, tier, n: work.n, tensors: work.tensors.length, number: "norm" },
    ...(isChecked(work) && { expected: () => expectedOf(work), start: () => startOf(work) }),
    ...(work.rule === "adamw" && { tolerance }),
    contenders: names.map((engine): Contender => ({ engine, load: () => load(engine) })),
    ours: "fallline",
    // Dozens of cases must fit into minutes; only those used in comparisons, and steps short enough to scatter, are measured
    // thoroughly.
    brief: !thorough.includes(name) && !(work.rule === "adamw" && !work.clip && work.n < 2 ** 20),
    ...more,
  };
}

/** Matrices that show the cost of Muon's products: wide, tall, odd, many of one shape, and those of GPT-2 small. */
const ofMuon: readonly (Size & { readonly tier: Tier })[] = [
  { name: "256x1024", shapes: [[256, 1024]], tier: "full" },
  { name: "1024x256", shapes: [[1024, 256]], tier: "full" },
  { name: "250x300", shapes: [[250, 300]], tier: "full" },
  { name: "64 of 64x64", shapes: many(64, [64, 64]), tier: "full" },
  {
    name: "gpt2-small matrices",
    shapes: gpt2Small().filter(([a = 0, b = 0]) => b > 1 && a < 50_000 && a !== 1024),
    tier: "every",
  },
];

/** Sizes that fit into a cache, measured when they are not in it. */
const cold: readonly Size[] = [{ name: "1x256k", shapes: [[2 ** 18]] }, million];

const updateOfAll = (shapes: Shapes) => updateWork("adamw", false, shapes);

export const updateCases: readonly Case[] = [
  ...rules.flatMap(({ name, only, factored }) =>
    sizes.flatMap((size) => {
      const shapes = only || factored ? (size.matrices ?? (only ? undefined : size.shapes)) : size.shapes;
      if (!shapes) return [];
      return [false, true].map((clip) => {
        const work = updateWork(name, clip, shapes);
        const title = `${name} ${size.name}${clip ? " clip" : ""}`;
        return updateCase("update", title, tierOf(name, size.name, clip), work);
      });
    }),
  ),
  ...ofMuon.map(({ name, shapes, tier }) =>
    updateCase("update", `muon ${name}`, tier, updateWork("muon", false, shapes)),
  ),
  ...[many16k, many1k].map(({ name, shapes }) =>
    updateCase("update", `adamw ${name} own buffers`, "full", updateOfAll(shapes), ["fallline", "arena", "stream"], {
      ownBuffers: true,
    }),
  ),
  ...[million, many16k, many1k].map(({ name, shapes }) =>
    updateCase("update", `adamw ${name} tf.Optimizer`, "full", updateOfAll(shapes), ["fallline", "tfjs", "arena"], {
      ofTensorFlow: true,
    }),
  ),
  ...cold.map(({ name, shapes }) => {
    const names = ["fallline", "naive", "tfjs", "jaxjs", "plain", "stream"] as const;
    return updateCase("update", `adamw ${name} rotated`, "full", updateOfAll(shapes), names, { rotated: true });
  }),
  ...curve.map(({ name, shapes }) => {
    const work = updateWork("adamw", false, shapes);
    const names = enginesOf(work).filter((engine) => engine !== "plain");
    return updateCase("curve", `adamw ${name}`, "full", work, names);
  }),
];

/** Suite "norm": the global norm of gradients like those of the updates. */
export const normSizes: readonly { readonly size: Size; readonly tier: Tier }[] = [
  { size: million, tier: "quick" },
  { size: odd, tier: "full" },
  { size: many16k, tier: "full" },
];
