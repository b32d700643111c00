// What may be meant by a word that is no name: what errors of configs suggest. Bundles of an optimizer alone are spared it.

import { folded, longestWord, meant, type Synonyms } from "./names.ts";
import { readChoice, readObject } from "./options.ts";

/** What other libraries call options of this one; the first one that is allowed where the word stands is meant. */
const optionWords: Readonly<Record<string, readonly string[]>> = {
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

/** The option that a word is in another spelling, or in other libraries. */
export function meantOption(word: string, known: readonly string[]): string | undefined {
  const same = folded(word);
  return (
    meant(word, known) ??
    (Object.hasOwn(optionWords, same) ? optionWords[same]! : []).find((each) => known.includes(each))
  );
}

/** The known name that is nearest to a word; undefined where none is near. */
export function nearest(word: unknown, known: readonly string[]): string | undefined {
  if (typeof word !== "string" || word.length > longestWord) return undefined;
  const given = folded(word);
  if (given.length < 2) return undefined;
  let [best, least] = [undefined as string | undefined, Math.max(1, Math.floor(given.length / 3)) + 1];
  for (const name of known) {
    // Of two that are as near, the one as long is likelier.
    const fraction = Math.min(99, Math.abs(given.length - folded(name).length)) / 100;
    const distance = name.length > longestWord ? least : editDistance(given, folded(name)) + fraction;
    if (distance < least) [best, least] = [name, distance];
  }
  if (best !== undefined || given.length < 4) return best;
  // "softmax" is the beginning of a name, and "testAccuracyPercent" has one in it.
  return known.find((name) => name.length > 3 && (folded(name).includes(given) || given.includes(folded(name))));
}

/** " (did you mean lr?)" for the end of an error about a word; nothing where no known name is near. */
export function didYouMean(word: unknown, known: readonly string[], suggested = nearest(word, known)): string {
  return suggested === undefined ? "" : ` (did you mean ${suggested}?)`;
}

/**
 * Letters to insert, leave out, replace or swap with their neighbour to make one word of another (Damerau 1964, each place changed
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

/** As {@link readObject}; the error about an unknown option says which one may be meant, in other libraries' words too. */
export function readFields(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  return readObject(name, value, known, (word) => didYouMean(word, known, meantOption(word, known)));
}

/** As {@link readChoice}; `synonyms` are taken for names, and the error about another word says which one may be meant. */
export function readName<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
  synonyms?: Synonyms<T>,
): T {
  return readChoice(name, meant(value, allowed, synonyms) ?? value, allowed, (word) => didYouMean(word, allowed));
}
