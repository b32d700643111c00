// Names as people type them: which known one is meant, and which one an error suggests.

/** Letters of the longest word that is compared; names are shorter, and the comparison takes the square. */
const longest = 40;

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

/** A word without what spellings differ in: case, dashes, underscores, spaces. */
export function folded(word: string): string {
  return word.toLowerCase().replace(/[-_\s.]/g, "");
}

/** Words for names, by {@link folded} word: what owns the names says what else they are called. */
export type Synonyms<T extends string = string> = Readonly<Record<string, T>>;

/** The known name that a word is, however it is spelt, or for which it is another word; undefined where it is none. */
export function meant<T extends string>(word: unknown, known: readonly T[], synonyms: Synonyms<T> = {}): T | undefined {
  if (typeof word !== "string" || word.length > longest) return undefined;
  if (known.includes(word as T)) return word as T;
  const same = folded(word);
  const found = known.find((name) => folded(name) === same);
  if (found !== undefined) return found;
  return Object.hasOwn(synonyms, same) && known.includes(synonyms[same]!) ? synonyms[same] : undefined;
}

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
  if (typeof word !== "string" || word.length > longest) return undefined;
  const given = folded(word);
  if (given.length < 2) return undefined;
  let [best, least] = [undefined as string | undefined, Math.max(1, Math.floor(given.length / 3)) + 1];
  for (const name of known) {
    // Of two that are as near, the one as long is likelier.
    const fraction = Math.min(99, Math.abs(given.length - folded(name).length)) / 100;
    const distance = name.length > longest ? least : editDistance(given, folded(name)) + fraction;
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
