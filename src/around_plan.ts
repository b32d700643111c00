// Reading what stands around a rule: clipping, skipping, loss scaling, accumulation and averages, checked and complete.
import { OptionError, show } from "./errors.ts";
import { describeRange, inRange, type Range, readBoolean, readNumber, readObject } from "./options.ts";
import type { Schedule, Scheduled } from "./schedule.ts";
import { createSchedule } from "./schedule.ts";

export type Clip =
  | { readonly type: "globalNorm" | "groupNorm"; readonly maxNorm: number; readonly norm: 1 | 2 | "inf" }
  | { readonly type: "value"; readonly maxValue: number }
  | { readonly type: "adaptive"; readonly clipping: number; readonly eps: number };

export interface LossScale {
  readonly init: number;
  readonly growth: number;
  readonly backoff: number;
  readonly interval: number;
  readonly min: number;
}

/** Averages of the parameters, each with a slot of its own. */
export interface Averages {
  readonly ema: { readonly decay: Schedule; readonly warmup: boolean } | undefined;
  readonly swa: { readonly start: number; readonly every: number } | undefined;
  readonly lookahead: { readonly every: number; readonly share: number } | undefined;
}

export interface Around {
  readonly clip: Clip | undefined;
  readonly skipNonFinite: boolean;
  readonly lossScale: LossScale | undefined;
  readonly accumulate: number;
  readonly cautious: boolean;
  readonly averages: Averages;
}

export function readAround(name: string, fields: Readonly<Record<string, unknown>>): Around {
  const clip = readClip(fields.clip);
  const lossScale = readLossScale(`${name}.lossScale`, fields.lossScale);
  const needsSkip = clip !== undefined || lossScale !== undefined;
  const { skipNonFinite, accumulate, cautious } = fields;
  const skip = skipNonFinite === undefined ? needsSkip : readBoolean(`${name}.skipNonFinite`, skipNonFinite);
  if (lossScale && !skip) {
    throw new OptionError(`${name}.skipNonFinite is false; with lossScale it must be true, since that goes by skips`);
  }
  return {
    clip,
    skipNonFinite: skip,
    lossScale,
    accumulate:
      accumulate === undefined
        ? 1
        : readNumber(`${name}.accumulate`, accumulate, { min: 1, max: 65_536, integer: true }),
    cautious: cautious === undefined ? false : readBoolean(`${name}.cautious`, cautious),
    averages: {
      ema: readEma(`${name}.ema`, fields.ema),
      swa: readCounted(`${name}.swa`, fields.swa, {
        start: [0, { min: 0, integer: true }],
        every: [1, { min: 1, integer: true }],
      }),
      lookahead: readCounted(`${name}.lookahead`, fields.lookahead, {
        every: [5, { min: 1, integer: true }],
        share: [0.5, { min: 0, max: 1 }],
      }),
    },
  };
}

/** What the averages' columns hold in update number `step + 1`: how far each slot goes towards the parameters. */
export function averageColumns({ ema, swa, lookahead }: Averages, step: number): Record<string, number> {
  const columns: Record<string, number> = {};
  // Less than 0: the parameters do not return in this update.
  if (lookahead) columns.lookahead = (step + 1) % lookahead.every === 0 ? lookahead.share : -1;
  if (ema) {
    const decay = ema.decay.at(step);
    if (!inRange(decay, emaRange)) {
      throw new OptionError(`ema.decay is ${show(decay)} at step ${step}; it must be ${describeRange(emaRange)}`);
    }
    columns.ema = 1 - (ema.warmup ? Math.min(decay, (step + 1) / (step + 10)) : decay);
  }
  if (swa) {
    const since = step - swa.start;
    columns.swa = since >= 0 && since % swa.every === 0 ? 1 / (since / swa.every + 1) : 0;
  }
  return columns;
}

const clipTypes = ["globalNorm", "groupNorm", "value", "adaptive"] as const;

function readClip(value: unknown): Clip | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object") {
    throw new OptionError(`clip is ${show(value)}; it must be an object such as { type: "globalNorm", maxNorm: 1 }`);
  }
  const type = (value as { type?: unknown }).type as Clip["type"];
  if (!clipTypes.includes(type)) {
    throw new OptionError(
      `clip.type is ${type === undefined ? "missing" : show(type)}, which is not a known clipping; known are ${clipTypes.join(", ")}`,
    );
  }
  if (type === "value") {
    const { maxValue } = readObject("clip", value, ["type", "maxValue"]);
    return { type, maxValue: readSingle("clip.maxValue", maxValue, { above: 0 }) };
  }
  if (type === "adaptive") {
    const { clipping, eps } = readObject("clip", value, ["type", "clipping", "eps"]);
    return {
      type,
      clipping: readSingle("clip.clipping", clipping, { above: 0 }),
      eps: eps === undefined ? 1e-3 : readSingle("clip.eps", eps, { above: 0 }),
    };
  }
  const { maxNorm, norm } = readObject("clip", value, ["type", "maxNorm", "norm"]);
  if (norm !== undefined && norm !== 1 && norm !== 2 && norm !== "inf") {
    throw new OptionError(`clip.norm is ${show(norm)}; it must be 1, 2 or "inf"`);
  }
  return {
    type,
    maxNorm: readSingle("clip.maxNorm", maxNorm, { above: 0 }),
    norm: (norm as 1 | 2 | "inf" | undefined) ?? 2,
  };
}

/** Its reciprocal is the least normal float32: one over a larger scale would be 0. */
export const largestLossScale = 2 ** 126;

function readLossScale(owner: string, value: unknown): LossScale | undefined {
  const read = readCounted(owner, value, {
    init: [65_536, { above: 0, max: largestLossScale }],
    growth: [2, { min: 1 }],
    backoff: [0.5, { above: 0, below: 1 }],
    interval: [2000, { min: 1, max: 2 ** 31, integer: true }],
    min: [1, { above: 0, max: largestLossScale }],
  });
  // As the GPU holds them.
  if (read) for (const field of Object.keys(read) as (keyof LossScale)[]) read[field] = Math.fround(read[field]);
  if (read && read.init < read.min) {
    throw new OptionError(`${owner}.init is ${read.init}; it must be >= ${owner}.min, which is ${read.min}`);
  }
  return read;
}

const emaRange: Range = { min: 0, below: 1 };

function readEma(owner: string, value: unknown): Averages["ema"] {
  if (value === undefined || value === null) return undefined;
  const { decay = 0.999, warmup = true } = readObject(owner, value, ["decay", "warmup"]);
  if (typeof decay === "number") readNumber(`${owner}.decay`, decay, emaRange);
  const schedule = createSchedule(decay as Scheduled, `${owner}.decay`);
  if (schedule.listeners) {
    throw new OptionError(`${owner}.decay is ${show(decay)}; a plateau cannot drive it, only a hyper of the rule`);
  }
  return {
    decay: schedule,
    warmup: readBoolean(`${owner}.warmup`, warmup),
  };
}

/** A number that float32 holds, which is what kernels calculate in. */
function readSingle(name: string, value: unknown, range: Range): number {
  const number = readNumber(name, value, range);
  if (!Number.isFinite(Math.fround(number)) || (number !== 0 && number < 2 ** -126)) {
    throw new OptionError(`${name} is ${show(value)}; it must be a number that float32 holds, from 2^-126 to 3.4e38`);
  }
  return number;
}

/** An object of numbers with defaults and ranges, or nothing. */
function readCounted<K extends string>(
  owner: string,
  value: unknown,
  fields: Readonly<Record<K, readonly [number, Range]>>,
): Record<K, number> | undefined {
  if (value === undefined || value === null) return undefined;
  const given = readObject(owner, value, Object.keys(fields));
  return Object.fromEntries(
    Object.entries<readonly [number, Range]>(fields).map(([field, [standard, range]]) => [
      field,
      given[field] === undefined ? standard : readSingle(`${owner}.${field}`, given[field], range),
    ]),
  ) as Record<K, number>;
}
