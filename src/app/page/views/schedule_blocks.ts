// The course of a learning rate as blocks, one after the other, as composed in the view of schedules, with its JSON and TypeScript,
// and an example of every schedule of the registry to start a block from.
import { DataError, OptionError, refusal, show } from "../../../base/errors.ts";
import { isOptions } from "../../../base/options.ts";
import { scheduleDefinitions } from "../../../schedules/index.ts";
import { readSchedule } from "../../../schedules/read_schedule.ts";
import { createSchedule, type Schedule } from "../../../schedules/schedule.ts";

/** A schedule in JSON, and the number of steps before the next block starts. */
export interface Block {
  readonly schedule: unknown;
  readonly steps: number;
}

export const mostBlocks = 8;
export const mostSteps = 1_000_000;

/** Example options of each schedule for a number of steps. */
const examples: Readonly<Record<string, (steps: number) => Readonly<Record<string, unknown>>>> = {
  constant: () => ({ value: 0.1 }),
  step: (steps) => ({ base: 0.1, every: part(steps, 0.25), gamma: 0.5 }),
  multiStep: (steps) => ({ base: 0.1, milestones: [part(steps, 0.5), part(steps, 0.75)], gamma: 0.3 }),
  exponential: (steps) => ({ base: 0.1, gamma: Number((0.05 ** (1 / steps)).toPrecision(6)) }),
  inverseTime: (steps) => ({ base: 0.1, decay: Number((8 / steps).toPrecision(3)) }),
  inverseSqrt: (steps) => ({ base: 0.1, warmup: part(steps, 0.1) }),
  polynomial: (steps) => ({ base: 0.1, steps, power: 2 }),
  linear: (steps) => ({ start: 0.1, end: 0, steps }),
  cosine: (steps) => ({ base: 0.1, steps }),
  cosineRestarts: (steps) => ({ base: 0.1, period: part(steps, 0.25), decay: 0.7 }),
  tanh: (steps) => ({ base: 0.1, steps }),
  cyclic: (steps) => ({ base: 0.01, max: 0.1, up: part(steps, 0.125), mode: "triangular2" }),
  oneCycle: (steps) => ({ max: 0.1, steps }),
  warmupStableDecay: (steps) => ({
    base: 0.1,
    warmup: part(steps, 0.1),
    stable: part(steps, 0.6),
    decay: part(steps, 0.3),
  }),
  piecewise: (steps) => ({
    points: [
      [0, 0],
      [part(steps, 0.2), 0.1],
      [part(steps, 0.6), 0.06],
      [steps, 0],
    ],
  }),
  plateau: () => ({ base: 0.1 }),
  curvature: () => ({ base: 0.1 }),
  sequential: (steps) => ({
    schedules: [
      { type: "linear", start: 0, end: 0.1, steps: part(steps, 0.1) },
      { type: "cosine", base: 0.1, steps: part(steps, 0.9) },
    ],
    milestones: [part(steps, 0.1)],
  }),
  product: (steps) => ({
    schedules: [
      { type: "cosine", base: 0.1, steps },
      { type: "cyclic", base: 0.5, max: 1, up: part(steps, 0.05) },
    ],
  }),
  scale: (steps) => ({ by: 0.5, schedule: { type: "cosine", base: 0.2, steps } }),
  batchScaled: (steps) => ({
    schedule: 0.05,
    batch: {
      type: "piecewise",
      points: [
        [0, 64],
        [part(steps, 0.5), 128],
      ],
      interpolate: "constant",
    },
    baseBatch: 64,
  }),
  batchGrowth: (steps) => ({
    base: 1,
    rate: { type: "step", base: 0.1, every: part(steps, 0.25), gamma: 0.5 },
    max: 8,
  }),
  stochastic: (steps) => ({ schedule: { type: "cosine", base: 0.1, steps }, amount: 0.1 }),
};

const part = (steps: number, share: number) => Math.max(1, Math.round(share * steps));

export const scheduleTypes: readonly string[] = scheduleDefinitions.map(({ type }) => type);

/** A block with a schedule's example options. */
export function exampleOf(type: string, steps: number): Block {
  return { schedule: { type, ...examples[type]?.(steps) }, steps };
}

export const firstBlocks: readonly Block[] = [
  { schedule: { type: "linear", start: 0, end: 0.1, steps: 100 }, steps: 100 },
  exampleOf("cosine", 400),
  { schedule: { type: "cosineRestarts", base: 0.05, period: 125, decay: 0.7 }, steps: 500 },
];

/**
 * Blocks from JSON: a list of them, or a schedule, which becomes one block, or as many as it has parts if it is sequential.
 *
 * @throws OptionError or DataError for anything else, and for invalid schedules.
 */
export function readBlocks(text: string): readonly Block[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(`the text is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const blocks = Array.isArray(value) ? value.map(blockOf) : split(value);
  if (blocks.length === 0 || blocks.length > mostBlocks) {
    throw new OptionError(`there are ${blocks.length} blocks; there must be at least one, and at most ${mostBlocks}`);
  }
  for (const [i, { schedule }] of blocks.entries()) create(schedule, `block ${i + 1}`);
  return blocks;
}

function blockOf(value: unknown, index: number): Block {
  if (!isOptions(value) || !("schedule" in value)) {
    throw refusal(`block ${index + 1}`, value, "an object with schedule and steps");
  }
  const { schedule, steps } = value;
  if (!Number.isInteger(steps) || (steps as number) < 1 || (steps as number) > mostSteps) {
    throw new OptionError(
      `block ${index + 1} has ${show(steps)} steps; it must have a whole number from 1 to ${mostSteps}`,
    );
  }
  return { schedule, steps: steps as number };
}

/** Steps of a schedule that does not set its own. */
const usualSteps = 500;

function split(value: unknown): readonly Block[] {
  if (!isOptions(value) || value.type !== "sequential" || !Array.isArray(value.schedules)) {
    const steps = isOptions(value) && Number.isInteger(value.steps) ? (value.steps as number) : usualSteps;
    return [{ schedule: value, steps: Math.min(Math.max(1, steps), mostSteps) }];
  }
  // Its checks also cover its parts: rising milestones, one fewer than schedules.
  create(value, "schedule");
  const { schedules, milestones = [] } = value as { schedules: readonly unknown[]; milestones?: readonly number[] };
  return schedules.map((schedule, i) => {
    const from = i === 0 ? 0 : milestones[i - 1]!;
    const own = isOptions(schedule) && Number.isInteger(schedule.steps) ? (schedule.steps as number) : usualSteps;
    return { schedule, steps: (milestones[i] ?? from + own) - from };
  });
}

/** @throws OptionError for an invalid schedule. */
export function create(schedule: unknown, name: string): Schedule {
  return createSchedule(readSchedule(schedule, name), name);
}

/** All blocks as one schedule, in JSON. */
export function composed(blocks: readonly Block[]): unknown {
  if (blocks.length === 1) return blocks[0]!.schedule;
  let at = 0;
  const milestones = blocks.slice(0, -1).map(({ steps }) => {
    at += steps;
    return at;
  });
  return { type: "sequential", schedules: blocks.map(({ schedule }) => schedule), milestones };
}

/** A schedule in JSON written as TypeScript: `schedules.cosine({ base: 0.1, steps: 400 })`. */
export function typescriptOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(typescriptOf).join(", ")}]`;
  if (!isOptions(value)) return JSON.stringify(value);
  const { type, ...options } = value;
  const fields = Object.entries(options).map(([name, option]) => `${name}: ${typescriptOf(option)}`);
  const object = fields.length > 0 ? `{ ${fields.join(", ")} }` : "{}";
  return typeof type === "string" ? `schedules.${type}(${object})` : object;
}

/** The steps to draw, and for each block its values at its own steps, null elsewhere. */
export function curvesOf(blocks: readonly Block[], most = 1200): readonly (readonly (number | null)[])[] {
  const total = blocks.reduce((sum, { steps }) => sum + steps, 0);
  const stride = Math.max(1, total / most);
  const steps = [
    ...new Set(Array.from({ length: Math.min(total, most) + 1 }, (_, i) => Math.round(i * stride))),
  ].filter((step) => step <= total);
  let from = 0;
  const values = blocks.map(({ schedule, steps: length }, i) => {
    const made = create(schedule, `block ${i + 1}`);
    const [first, isLast] = [from, i === blocks.length - 1];
    from += length;
    return steps.map((step) => {
      const at = step - first;
      if (at < 0 || (isLast ? at > length : at >= length)) return null;
      const value = made.at(at);
      return Number.isFinite(value) ? value : null;
    });
  });
  return [steps, ...values];
}
