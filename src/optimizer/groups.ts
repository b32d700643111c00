// Parameter groups: which tensors a pattern matches, and helpers that make the usual groups from a list of tensors.

import { listed, OptionError, refusal, show } from "../base/errors.ts";
import { globMatches, type RegexPattern, regexTest } from "../base/glob.ts";
import { readArray, readBoolean, readMade, readNumber, readObject } from "../base/options.ts";
import { readTensors, type Tensor, type Tensors } from "./arena.ts";
import type { GroupOptions, Pattern } from "./config.ts";

/** Reads a group's `params`: patterns in their JSON form, and the names they match, in the tensors' order. */
export function readPatterns(
  owner: string,
  value: unknown,
  names: readonly string[],
  known: ReadonlySet<string> = new Set(names),
): { patterns: readonly Pattern[]; matched: readonly string[] } {
  if (value === undefined) {
    throw new OptionError(`${owner} is missing; it must be tensor names, globs or regular expressions`);
  }
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (given.length === 0) throw new OptionError(`${owner} is []; it must name at least one tensor`);
  const matched = new Set<string>();
  const patterns = given.map((entry) => {
    const { pattern, matches } = readPattern(owner, entry, known);
    // Thousands of plain names are looked up, not searched for.
    const found = matches ? names.filter(matches) : known.has(entry as string) ? [entry as string] : [];
    if (found.length === 0) {
      throw new OptionError(`${owner} names ${show(entry)}, which matches no tensor; the tensors are ${listed(names)}`);
    }
    for (const name of found) matched.add(name);
    return pattern;
  });
  return { patterns, matched: [...matched] };
}

/** A pattern in its JSON form, and a test for the names it matches; without `matches`, the one equal to it. */
function readPattern(
  owner: string,
  entry: unknown,
  known: ReadonlySet<string>,
): { pattern: Pattern; matches?: (name: string) => boolean } {
  if (typeof entry === "string") {
    // A tensor may have a star in its name.
    if (known.has(entry) || !/[*?]/.test(entry)) return { pattern: entry };
    return { pattern: entry, matches: (name) => globMatches(entry, name) };
  }
  if (entry instanceof RegExp) {
    const { source: regex, flags } = entry;
    return readPattern(owner, flags ? { regex, flags } : { regex }, known);
  }
  if (typeof entry !== "object" || entry === null) {
    throw new OptionError(`${owner} holds ${show(entry)}; it must hold tensor names, globs or regular expressions`);
  }
  const { regex, flags = "" } = readObject(owner, entry, ["regex", "flags"]);
  if (typeof regex !== "string" || typeof flags !== "string") {
    throw new OptionError(`${owner} holds ${show(entry)}; a regular expression is { regex: "…", flags: "…" }`);
  }
  return { pattern: entry as Pattern, matches: regexTest(owner, entry as RegexPattern) };
}

/** The words of a name, in lower case: for "LayerNorm_1.weight" layer, norm and weight. */
function wordsOf(name: string): readonly string[] {
  return (name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? []).map((word) => word.toLowerCase());
}

const biasOrNorm = /^(bias|biases|ln|bn|gn|\w*norms?|(layer|batch|group|rms|instance)?normali[sz]ation)$/;

/** The names of the tensors in norms. */
const ofNorm = /^(gamma|beta|scale)$/;

/**
 * Tensors that usually get no weight decay: those with at most one dimension, and those whose name has bias or norm (layernorm,
 * ln, bn …) among its words, or ends in gamma, beta or scale.
 */
export function isBiasOrNorm(tensor: Pick<Tensor, "name" | "shape">): boolean {
  const { name, shape } = readMade("tensor", tensor, "{ name, shape }", { name: "string", shape: "array" });
  const words = wordsOf(name);
  return shape.length <= 1 || words.some((word) => biasOrNorm.test(word)) || ofNorm.test(words.at(-1) ?? "");
}

/**
 * The group without weight decay: biases, norms, and every other vector or scalar. For `groups` of an optimizer; an empty list if
 * there are none. Tensors are a list or named, as for an optimizer.
 */
export function noDecay(tensors: Tensors): readonly (GroupOptions & { readonly weightDecay: 0 })[] {
  const params = readNamed("noDecay", tensors)
    .filter((tensor) => isBiasOrNorm(tensor))
    .map(({ name }) => name);
  return params.length === 0 ? [] : [{ params, weightDecay: 0 }];
}

/**
 * Groups whose rate falls from the last layer to the first (Howard and Ruder 2018; Clark et al. 2020): `lrScale` is
 * decay^depth, depth counted from the last layer.
 *
 * Layers are distinguished by `layerOf`, whose numbers rise from the first to the last. By default they are the numbered blocks
 * in the order of their numbers, which may be a part of a path (`blocks.3.`) or end a word that occurs with several numbers
 * (`conv2d_3`, `layer3`). Before them come embeddings, tokens and stems; after them, with the full rate, heads and classifiers;
 * any other tensor without a number (a final norm, a first convolution) belongs to whichever side of the blocks it is listed on.
 *
 * @param options `decay` in (0, 1]; `noDecay` true puts each layer's biases and norms into a group without weight decay.
 * @throws OptionError for a decay out of range, and if `layerOf` does not return a number.
 */
export function layerwiseDecay(
  tensors: Tensors,
  options: {
    readonly decay: number;
    readonly noDecay?: boolean;
    readonly layerOf?: (name: string) => number;
  },
): readonly (GroupOptions & { readonly weightDecay?: 0 })[] {
  const named = readNamed("layerwiseDecay", tensors);
  const fields = readObject("layerwiseDecay", options, ["decay", "noDecay", "layerOf"]);
  const decay = readNumber("layerwiseDecay.decay", fields.decay, { above: 0, max: 1 });
  const spares = fields.noDecay === undefined ? false : readBoolean("layerwiseDecay.noDecay", fields.noDecay);
  const layerOf = readLayerOf(fields.layerOf) ?? layersByName(named.map(({ name }) => name));
  const byLayer = new Map<number, Tensor[]>();
  for (const tensor of named) {
    const layer = layerOf(tensor.name);
    const members = byLayer.get(layer);
    if (members) members.push(tensor);
    else byLayer.set(layer, [tensor]);
  }
  const layers = [...byLayer].sort(([a], [b]) => (a === b ? 0 : b - a));
  return layers.flatMap(([, members], depth) => {
    const spared = spares ? members.filter(isBiasOrNorm) : [];
    const rest = members.filter((tensor) => !spares || !isBiasOrNorm(tensor));
    const lrScale = decay ** depth;
    return [
      ...(rest.length > 0 ? [{ params: rest.map(({ name }) => name), lrScale }] : []),
      ...(spared.length > 0 ? [{ params: spared.map(({ name }) => name), lrScale, weightDecay: 0 as const }] : []),
    ];
  });
}

/** The names of a helper's tensors. */
function readNamed(owner: string, tensors: Tensors): readonly Tensor[] {
  return readArray(`the tensors of ${owner}`, readTensors(tensors), "{ name, shape }").map((tensor, i) => {
    const { name, shape } = (tensor ?? {}) as Partial<Tensor>;
    if (typeof name === "string" && Array.isArray(shape)) return tensor as Tensor;
    throw new OptionError(`the tensors of ${owner} hold ${show(tensor)} at ${i}; it must be { name, shape }`);
  });
}

function readLayerOf(value: unknown): ((name: string) => number) | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "function") {
    throw refusal("layerwiseDecay.layerOf", value, "a function of a tensor's name");
  }
  return (name) => {
    const layer: unknown = value(name);
    if (typeof layer === "number" && !Number.isNaN(layer)) return layer;
    throw new OptionError(`layerwiseDecay.layerOf returned ${show(layer)} for "${name}"; it must return a number`);
  };
}

const headWords = /^(heads?|classifiers?|logits|score|predictions?|pooler|cls)$/;
/** These are ordinary layers if they are numbered (`fc1`, `fc2`). */
const lastWords = /^(fc|out|outputs?)$/;
const stemWords = /^(embed\w*|wte|wpe|patch|stem|pos|positions?|positional|tokens?|tok|inputs?|shared|pre)$/;
/** The words for tensors of a layer. */
const tensorWords = /^(w|b|weights?|bias|biases|kernel|gamma|beta|scale)$/;

interface Numbered {
  /** The part before the number. */
  readonly prefix: string;
  readonly number: number;
  /** Whether the number is a part of the path on its own. */
  readonly alone: boolean;
}

/** Every number in a name that may be a layer's; not one inside a word, as in conv2d. */
function numbersOf(name: string): readonly Numbered[] {
  return [...name.matchAll(/\d+(?![\dA-Za-z])/g)].map(({ 0: digits, index }) => {
    const prefix = name.slice(0, index);
    const next = name[index + digits.length];
    return { prefix, number: Number(digits), alone: /(^|[./:])$/.test(prefix) && (!next || /[./:]/.test(next)) };
  });
}

/** The layer of each name: -1 before all blocks, Infinity after them. */
function layersByName(names: readonly string[]): (name: string) => number {
  const values = new Map<string, Set<number>>();
  const numbers = names.map(numbersOf);
  for (const { prefix, number } of numbers.flat()) values.set(prefix, (values.get(prefix) ?? new Set()).add(number));
  const blocks = numbers.map((each) =>
    each.find(({ prefix, alone }) => alone || prefix.endsWith("_") || values.get(prefix)!.size > 1),
  );
  const isHead = (words: readonly string[]) => words.some((word) => headWords.test(word)) && !words.includes("token");
  const isStem = (words: readonly string[]) => words.some((word) => stemWords.test(word));
  const layers = new Map<string, number>();
  const runs = new Map<string, { first: number; last: number }>();
  const runOf = ({ prefix, alone }: Numbered) => {
    if (alone) return "";
    // weight1 and bias1 belong to one layer.
    const words = wordsOf(prefix);
    return tensorWords.test(words.at(-1) ?? "") ? words.slice(0, -1).join() : prefix;
  };
  const inBlocks: [index: number, block: Numbered][] = [];
  names.forEach((name, index) => {
    const block = blocks[index];
    if (!block) return;
    const words = wordsOf(block.prefix);
    if (isHead(words)) layers.set(name, Number.POSITIVE_INFINITY);
    else if (block.alone && isStem(words)) layers.set(name, -1);
    else {
      inBlocks.push([index, block]);
      const key = runOf(block);
      runs.set(key, { first: runs.get(key)?.first ?? index, last: index });
    }
  });
  // Consecutive kinds of layers (conv1, conv2, fc1, fc2) are in sequence; others are parallel.
  const ranks = new Map<string, number>();
  let [rank, end] = [0, -1];
  for (const [key, { first, last }] of [...runs].sort(([, a], [, b]) => a.first - b.first)) {
    if (first > end && end >= 0) rank++;
    ranks.set(key, rank);
    end = Math.max(end, last);
  }
  const order = [...new Set(inBlocks.map(([, block]) => `${ranks.get(runOf(block))} ${block.number}`))]
    .map((key) => key.split(" ").map(Number) as [number, number])
    .sort(([a, i], [b, j]) => a - b || i - j)
    .map((key) => key.join(" "));
  const places = new Map(order.map((key, place) => [key, place]));
  for (const [index, block] of inBlocks) {
    layers.set(names[index]!, places.get(`${ranks.get(runOf(block))} ${block.number}`)!);
  }
  const begin = inBlocks[0]?.[0] ?? Number.POSITIVE_INFINITY;
  names.forEach((name, index) => {
    if (layers.has(name)) return;
    const words = wordsOf(name);
    const last = isHead(words) || words.some((word) => lastWords.test(word));
    if (last) layers.set(name, Number.POSITIVE_INFINITY);
    else if (isStem(words)) layers.set(name, -1);
    else if (inBlocks.length === 0) layers.set(name, 0);
    else layers.set(name, index < begin ? -1 : Number.POSITIVE_INFINITY);
  });
  return (name) => layers.get(name)!;
}
