// Numbers on the command line.

/** A number in decimal notation, else the word itself, so that the error can show what was given. */
export function number(word: string): number | string {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word) ? Number(word) : word;
}
