// The storage format of a slot: how many words hold four elements, and how kernels and host convert words to numbers and back.
import type { Snippet } from "../base/assemble.ts";

/** The storage format of a slot on the GPU and in checkpoints. */
export interface SlotFormat {
  /** In WGSL, part of the names of its functions. */
  readonly name: string;
  /** 32-bit words that hold four elements: 4, 2 or 1. */
  readonly words: 1 | 2 | 4;
  /**
   * For a state that is not read four float32 at a time: its access (`wordState`), and the WGSL of `load_NAME(word: u32) ->
   * vec4f` and `store_NAME(word: u32, x: vec4f)`, of four elements from a word of the state on.
   */
  readonly snippets?: { readonly state: Snippet; readonly access: Snippet };
  /** The words of numbers; missing ones among the last four elements are 0. Undefined: the numbers are the words. */
  encode?(values: Float32Array): Uint32Array<ArrayBuffer>;
  /** The first `length` numbers of words. */
  decode?(words: Uint32Array, length: number): Float32Array<ArrayBuffer>;
}

/** Unencoded numbers. */
export const float32: SlotFormat = { name: "float32", words: 4 };

/** The words of `length` elements: as many for float32, for others in whole fours. */
export function wordsOf({ words, encode }: SlotFormat, length: number): number {
  return encode ? words * Math.ceil(length / 4) : length;
}

/** Numbers in their stored form, in an array of the same bits. */
export function encoded(format: SlotFormat, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  return format.encode ? new Float32Array(format.encode(values).buffer) : values;
}

/** Numbers from their stored form. */
export function decoded(format: SlotFormat, stored: Float32Array<ArrayBuffer>, length: number) {
  if (!format.decode) return stored;
  return format.decode(new Uint32Array(stored.buffer, stored.byteOffset, stored.length), length);
}
