// Names as people type them: which known one is meant.

/** Length of the longest word that is compared; names are shorter. */
export const longestWord = 40;

/** A word without the differences between spellings: case, dashes, underscores, spaces. */
export function folded(word: string): string {
  return word.toLowerCase().replace(/[-_\s.]/g, "");
}

/**
 * One of these names, in any spelling, or a synonym: "ReLU", "mse". Any string compiles, so that configs need no `as const`;
 * an unknown one is refused when it is read, with a suggestion.
 */
export type Name<T extends string> = T | (string & {});

/** Aliases of names, by {@link folded} word; declared with the names. */
export type Aliases<T extends string = string> = Readonly<Record<string, T>>;

/** The known name that a word stands for, in any spelling or as a synonym; undefined if there is none. */
export function meant<T extends string>(word: unknown, known: readonly T[], aliases: Aliases<T> = {}): T | undefined {
  if (typeof word !== "string" || word.length > longestWord) return undefined;
  if (known.includes(word as T)) return word as T;
  const same = folded(word);
  const found = known.find((name) => folded(name) === same);
  if (found !== undefined) return found;
  return Object.hasOwn(aliases, same) && known.includes(aliases[same]!) ? aliases[same] : undefined;
}
