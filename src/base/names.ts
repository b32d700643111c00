// Names as people type them: which known one is meant.

/** Letters of the longest word that is compared; names are shorter. */
export const longestWord = 40;

/** A word without what spellings differ in: case, dashes, underscores, spaces. */
export function folded(word: string): string {
  return word.toLowerCase().replace(/[-_\s.]/g, "");
}

/**
 * One of these names, in any spelling, or another word for one: "ReLU", "mse". Any string compiles, so that configs need no `as const`;
 * one that is no name is refused when it is read, with what may be meant.
 */
export type Name<T extends string> = T | (string & {});

/** Words for names, by {@link folded} word: what owns the names says what else they are called. */
export type Synonyms<T extends string = string> = Readonly<Record<string, T>>;

/** The known name that a word is, however it is spelt, or for which it is another word; undefined where it is none. */
export function meant<T extends string>(word: unknown, known: readonly T[], synonyms: Synonyms<T> = {}): T | undefined {
  if (typeof word !== "string" || word.length > longestWord) return undefined;
  if (known.includes(word as T)) return word as T;
  const same = folded(word);
  const found = known.find((name) => folded(name) === same);
  if (found !== undefined) return found;
  return Object.hasOwn(synonyms, same) && known.includes(synonyms[same]!) ? synonyms[same] : undefined;
}
