// Suggestions for unknown names in errors of configs; an optimizer's bundle alone does not contain them.

import { type Aliases, folded, longestWord, meant } from "./names.ts";
import { readChoice, readObject } from "./options.ts";

/** Other libraries' names of options, and ours in order of preference: the first one allowed is suggested. */
const optionAliases: Readonly<Record<string, readonly string[]>> = {
  learningrate: ["lr"],
  rate: ["lr"],
  stepsize: ["lr"],
  lambda: ["weightDecay", "l2"],
  wd: ["weightDecay"],
  betas: ["beta1"],
  rho: ["alpha", "beta"],
  epsilon: ["eps"],
  optimizer: ["rule"],
  optimiser: ["optimizer", "rule"],
  algorithm: ["rule"],
  rule: ["optimizer"],
  lossfunction: ["loss"],
  criterion: ["loss"],
  hidden: ["layers"],
  batchsize: ["batch"],
  epochs: ["steps"],
  iterations: ["steps"],
  numsteps: ["steps"],
  maxsteps: ["steps"],
  tmax: ["steps"],
  gamma: ["factor"],
  dataset: ["data"],
  gradientclip: ["clip"],
  clipnorm: ["clip"],
  output: ["out"],
  device: ["backend", "engine"],
  x: ["inputs"],
  features: ["inputs"],
  y: ["targets", "labels", "label"],
};

/** The option that a word means, in another spelling or another library. */
export function meantOption(word: string, known: readonly string[]): string | undefined {
  const same = folded(word);
  return (
    meant(word, known) ??
    (Object.hasOwn(optionAliases, same) ? optionAliases[same]! : []).find((each) => known.includes(each))
  );
}

/** The known name nearest to a word; undefined if none is near. */
export function nearest(word: unknown, known: readonly string[]): string | undefined {
  if (typeof word !== "string" || word.length > longestWord) return undefined;
  const given = folded(word);
  if (given.length < 2) return undefined;
  let [best, least] = [undefined as string | undefined, Math.max(1, Math.floor(given.length / 3)) + 1];
  for (const name of known) {
    // Of two equally near names, the one of equal length is likelier.
    const fraction = Math.min(99, Math.abs(given.length - folded(name).length)) / 100;
    const distance = name.length > longestWord ? least : editDistance(given, folded(name)) + fraction;
    if (distance < least) [best, least] = [name, distance];
  }
  if (best !== undefined || given.length < 4) return best;
  // "softmax" begins a name, and "testAccuracyPercent" contains one.
  return known.find((name) => name.length > 3 && (folded(name).includes(given) || given.includes(folded(name))));
}

/** " (did you mean lr?)" for the end of an error about a word; empty if no known name is near. */
export function didYouMean(word: unknown, known: readonly string[], suggested = nearest(word, known)): string {
  return suggested === undefined ? "" : ` (did you mean ${suggested}?)`;
}

/**
 * The insertions, deletions, replacements and swaps of neighbours that turn one word into another (Damerau 1964, each place changed
 * once).
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const differs = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + differs);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

/** Like {@link readObject}; the error about an unknown option suggests a known one, for other libraries' names too. */
export function readFields(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  return readObject(name, value, known, (word) => didYouMean(word, known, meantOption(word, known)));
}

/** Like {@link readChoice}; `aliases` are accepted too, and the error about any other word suggests a name. */
export function readName<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
  aliases?: Aliases<T>,
): T {
  return readChoice(name, meant(value, allowed, aliases) ?? value, allowed, (word) => didYouMean(word, allowed));
}
