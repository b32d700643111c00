// Handles of a course of blocks: the points of its curve that are set by options of its schedules, and the blocks after such a
// point is moved.
import { isOptions } from "../../../base/options.ts";
import { type Block, create, mostSteps } from "./schedule_blocks.ts";

/** A point of a course's curve that can be moved. */
export interface Handle {
  /** The name of the option that it moves: "block 2: base", "block 1: end". */
  readonly label: string;
  /** The block's index. */
  readonly block: number;
  /** Its step and rate. */
  readonly x: number;
  readonly y: number;
  readonly movesX: boolean;
  readonly movesY: boolean;
  /** The blocks after a move to another step and rate; they may be invalid together. */
  moved(x: number, y: number): readonly Block[];
}

/** The same within a schedule: at one of its own steps, moved by some of its options. */
interface Knob {
  readonly label: string;
  readonly at: number;
  /** The options with the point this many steps after the start of the schedule. */
  readonly x?: (at: number) => Options;
  /** The option that is the rate there. */
  readonly y?: string;
  /** The options for this rate, where no option is the rate itself. */
  readonly to?: (rate: number) => Options;
}

type Options = Readonly<Record<string, unknown>>;

const whole = (value: unknown, otherwise = 0) => (Number.isInteger(value) ? (value as number) : otherwise);
const steps = (name: string) => (at: number) => ({ [name]: Math.max(1, at) });

/** From the start to an end after `steps`. */
const falling =
  (from: string, to: string) =>
  (o: Options): readonly Knob[] => [
    { label: from, at: 0, y: from },
    { label: to, at: whole(o.steps, 1), x: steps("steps"), y: to },
  ];

/** By type of schedule; others are moved only at their ends. */
const knobs: Readonly<Record<string, (options: Options) => readonly Knob[]>> = {
  constant: () => [{ label: "value", at: 0, y: "value" }],
  linear: falling("start", "end"),
  cosine: falling("base", "min"),
  polynomial: falling("base", "end"),
  tanh: (o) => [
    { label: "base", at: 0, y: "base" },
    { label: "end", at: whole(o.steps, 1), x: steps("steps") },
  ],
  exponential: () => [{ label: "base", at: 0, y: "base" }],
  inverseTime: () => [{ label: "base", at: 0, y: "base" }],
  inverseSqrt: ({ warmup }) => [
    { label: "peak", at: Math.max(0, whole(warmup, 1) - 1), x: (at) => ({ warmup: at + 1 }), y: "base" },
  ],
  step: ({ every }) => [
    { label: "base", at: 0, y: "base" },
    { label: "first step down", at: whole(every, 1), x: steps("every") },
  ],
  multiStep: ({ milestones }) => [
    { label: "base", at: 0, y: "base" },
    ...(Array.isArray(milestones) ? milestones : []).map((at: number, i, all) => ({
      label: `milestone ${i + 1}`,
      at,
      x: (to: number) => ({ milestones: all.map((each, k) => (k === i ? to : each)) }),
    })),
  ],
  cosineRestarts: ({ period }) => [
    { label: "base", at: 0, y: "base" },
    { label: "first restart", at: whole(period, 1), x: steps("period") },
  ],
  cyclic: ({ up }) => [
    { label: "base", at: 0, y: "base" },
    { label: "max", at: whole(up, 1), x: steps("up"), y: "max" },
  ],
  oneCycle: ({ steps: all, pctStart }) => {
    const length = whole(all, 1);
    const share = typeof pctStart === "number" ? pctStart : 0.3;
    return [
      {
        label: "max",
        at: Math.max(0, Math.round(share * length) - 1),
        x: (at) => ({ pctStart: Math.min(0.99, Math.max(0.01, Number(((at + 1) / length).toPrecision(3)))) }),
        y: "max",
      },
      { label: "end", at: length, x: steps("steps") },
    ];
  },
  warmupStableDecay: ({ warmup, stable, decay }) => {
    const [rise, flat] = [whole(warmup), whole(stable)];
    return [
      { label: "base, after the warm-up", at: rise, x: (at) => ({ warmup: at }), y: "base" },
      { label: "start of the decay", at: rise + flat, x: (at) => ({ stable: Math.max(0, at - rise) }) },
      {
        label: "min",
        at: rise + flat + whole(decay, 1),
        x: (at) => ({ decay: Math.max(1, at - rise - flat) }),
        y: "min",
      },
    ];
  },
  piecewise: ({ points }) =>
    (Array.isArray(points) ? points : []).map(([at, value]: readonly [number, number], i, all) => {
      const put = (to: readonly [number, number]) => ({ points: all.map((each, k) => (k === i ? to : each)) });
      return {
        label: `point ${i + 1}`,
        at,
        x: (to) =>
          put([Math.min((all[i + 1]?.[0] ?? mostSteps) - 1, Math.max((all[i - 1]?.[0] ?? -1) + 1, to)), value]),
        to: (rate) => put([at, rate]),
      };
    }),
};

/** Rounds a dragged rate to three digits. */
const rounded = (rate: number) => Number(Math.max(0, rate).toPrecision(3));

/** The handles of a course, block by block: those of its schedule, and where it ends. */
export function handlesOf(blocks: readonly Block[]): readonly Handle[] {
  let from = 0;
  return blocks.flatMap((block, index) => {
    const first = from;
    from += block.steps;
    const replaced = (next: Block) => blocks.map((each, i) => (i === index ? next : each));
    const value = create(block.schedule, `block ${index + 1}`);
    const own = knobsOf(block.schedule).filter(({ at }) => at <= block.steps);
    const handles = own.map(({ label, at, x, y, to }): Handle => {
      const schedule = isOptions(block.schedule) ? block.schedule : { type: "constant", value: block.schedule };
      const isEnd = at === block.steps && x !== undefined;
      return {
        label: `block ${index + 1}: ${label}`,
        block: index,
        x: first + at,
        y: value.at(at),
        movesX: x !== undefined,
        movesY: y !== undefined || to !== undefined,
        moved(step, rate) {
          const next = Math.min(mostSteps, Math.max(0, Math.round(step - first)));
          const risen = rounded(rate);
          let options: Options = { ...schedule, ...(y === undefined ? to?.(risen) : { [y]: risen }) };
          // From the current options: one option may hold both.
          if (x && next !== at)
            options = { ...options, ...knobsOf(options).find((each) => each.label === label)!.x!(next) };
          // A block that lasts as long as its schedule continues to do so.
          return replaced({ schedule: options, steps: isEnd ? Math.max(1, next) : block.steps });
        },
      };
    });
    if (own.some(({ at, x }) => at === block.steps && x)) return handles;
    const end: Handle = {
      label: `block ${index + 1}: end`,
      block: index,
      x: first + block.steps,
      y: value.at(Math.max(0, block.steps - 1)),
      movesX: true,
      movesY: false,
      moved: (step) => replaced({ ...block, steps: Math.min(mostSteps, Math.max(1, Math.round(step - first))) }),
    };
    return [...handles, end];
  });
}

function knobsOf(schedule: unknown): readonly Knob[] {
  if (typeof schedule === "number") return [{ label: "value", at: 0, y: "value" }];
  if (!isOptions(schedule) || typeof schedule.type !== "string") return [];
  return Object.hasOwn(knobs, schedule.type) ? knobs[schedule.type]!(schedule) : [];
}
