// The thresholds of a watch, with their ranges and defaults.
import { type Range, readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";

/** The thresholds of a watch. Ratios are plain numbers, not percent. */
export interface WatchOptions {
  /**
   * Steps over which the loss is judged, a whole number in [8, 4096], default 40; also how many steps in a row a finding must be
   * absent before it has ended. The longer it is, the less often noise looks like a swing or a standstill.
   */
  readonly window?: number | undefined;
  /** Decay of the smoothed loss, in [0, 1), default 0.9: a mean of about the last ten. */
  readonly smoothing?: number | undefined;
  /**
   * Diverging: the smoothed loss lies above its best by this many times the best itself, and by this many times what it had
   * fallen before; > 0, default 1, which is twice its best and all gains lost. (Range tests stop at a 3, four times the best,
   * since there the rate keeps rising.)
   */
  readonly rise?: number | undefined;
  /**
   * Diverging: and by this many standard deviations of the smoothed loss, as far as the loss is noise; >= 0, default 8, since
   * the best of many noisy values is itself 3 below their mean and the worst 3 above.
   */
  readonly deviations?: number | undefined;
  /**
   * Oscillating: mean square of the loss's steps over that of its distance from its trend, in (2, 4), default 3.5. Independent
   * noise has 2, and over 40 steps more than 3 by chance once in a thousand windows; a loss that alternates at every step has 4.
   */
  readonly alternation?: number | undefined;
  /**
   * Oscillating: the root mean square of the swing over the loss, > 0, default 0.01; smaller swings do not matter.
   */
  readonly swing?: number | undefined;
  /**
   * Stalled: the loss falls by less than this share of itself at a step, > 0, default 1e-4, with which it takes some 7,000
   * steps to halve.
   */
  readonly fall?: number | undefined;
  /**
   * Exploding gradient: its norm is more than this many times its usual size (a fading geometric mean), and more than its usual
   * size ever was; > 1, default 10, where minibatches differ by 2 or 3.
   */
  readonly explode?: number | undefined;
  /**
   * Vanishing gradient: its norm is less than this share of its usual size (and the loss has not halved before, after which it
   * may simply have converged), or a layer's of the largest layer's; in (0, 1), default 1e-4.
   */
  readonly vanish?: number | undefined;
  /**
   * Large updates: an update changes a layer by more than this share of its norm; > 0, default 0.1. Healthy is around 1e-3
   * (Karpathy, CS231n).
   */
  readonly largeUpdate?: number | undefined;
  /** Small updates, and with layers observed a stall: by less than this share; >= 0, default 1e-5. */
  readonly smallUpdate?: number | undefined;
}

const options: Readonly<Record<keyof WatchOptions, { readonly default: number; readonly range: Range }>> = {
  window: { default: 40, range: { min: 8, max: 4096, integer: true } },
  smoothing: { default: 0.9, range: { min: 0, below: 1 } },
  rise: { default: 1, range: { above: 0 } },
  deviations: { default: 8, range: { min: 0 } },
  alternation: { default: 3.5, range: { above: 2, below: 4 } },
  swing: { default: 0.01, range: { above: 0 } },
  fall: { default: 1e-4, range: { above: 0 } },
  explode: { default: 10, range: { above: 1 } },
  vanish: { default: 1e-4, range: { above: 0, below: 1 } },
  largeUpdate: { default: 0.1, range: { above: 0 } },
  smallUpdate: { default: 1e-5, range: { min: 0 } },
};

export const watchOptionNames = Object.keys(options) as readonly (keyof WatchOptions)[];

/** The options with every default filled in. */
export type Limits = Readonly<Record<keyof WatchOptions, number>>;

/** @throws OptionError for values out of range and unknown options. */
export function readWatchOptions(given: WatchOptions): Limits {
  const names = watchOptionNames;
  const fields = readFields("watch", given, names);
  const read = (name: keyof WatchOptions) =>
    fields[name] === undefined ? options[name].default : readNumber(`watch.${name}`, fields[name], options[name].range);
  return Object.fromEntries(names.map((name) => [name, read(name)])) as Record<keyof WatchOptions, number>;
}
