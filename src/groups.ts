// Parameter groups: which tensors a pattern means, and helpers that make the usual groups from a list of tensors.
import type { Tensor } from "./arena.ts";
import type { GroupOptions, Pattern } from "./around.ts";
import { OptionError, show } from "./errors.ts";
import { readNumber, readObject } from "./options.ts";

/** Reads a group's `params`: patterns in their JSON form, and the names that they match, in the tensors' order. */
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

/** Names for a sentence: all of a few, the first of many. */
export function listed(names: readonly string[]): string {
  return names.length <= 12 ? names.join(", ") : `${names.slice(0, 12).join(", ")} and ${names.length - 12} more`;
}

/** A pattern in its JSON form, and which names it means: without `matches` the one that it is. */
function readPattern(
  owner: string,
  entry: unknown,
  known: ReadonlySet<string>,
): { pattern: Pattern; matches?: (name: string) => boolean } {
  if (typeof entry === "string") {
    // A tensor may have a star in its name.
    if (known.has(entry) || !/[*?]/.test(entry)) return { pattern: entry };
    const source = entry
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    const glob = new RegExp(`^${source}$`, "s");
    return { pattern: entry, matches: (name) => glob.test(name) };
  }
  if (entry instanceof RegExp) {
    return readPattern(owner, { regex: entry.source, ...(entry.flags ? { flags: entry.flags } : {}) }, known);
  }
  if (typeof entry !== "object" || entry === null) {
    throw new OptionError(`${owner} holds ${show(entry)}; it must hold tensor names, globs or regular expressions`);
  }
  const { regex, flags } = readObject(owner, entry, ["regex", "flags"]);
  if (typeof regex !== "string") {
    throw new OptionError(`${owner} holds ${show(entry)}; a regular expression is { regex: "…", flags: "…" }`);
  }
  try {
    // Without g and y, which would make a test depend on the one before.
    const expression = new RegExp(regex, ((flags as string | undefined) ?? "").replace(/[gy]/g, ""));
    return { pattern: entry as Pattern, matches: (name) => expression.test(name) };
  } catch (error) {
    throw new OptionError(`${owner} holds ${show(entry)}, which is no regular expression: ${(error as Error).message}`);
  }
}

/** Tensors that are usually spared weight decay: vectors and scalars, and whatever is called a bias or a norm. */
export function isBiasOrNorm({ name, shape }: Pick<Tensor, "name" | "shape">): boolean {
  return shape.filter((size) => size > 1).length <= 1 || /bias|norm|(^|[._/])(ln|bn)\d*([._/]|$)/i.test(name);
}

/**
 * The group that has no weight decay: biases, norms, and every other vector or scalar. For `groups` of an optimizer; an
 * empty list where there is none.
 */
export function noDecay(
  tensors: readonly Pick<Tensor, "name" | "shape">[],
): readonly (GroupOptions & { readonly weightDecay: 0 })[] {
  const params = tensors.filter(isBiasOrNorm).map(({ name }) => name);
  return params.length === 0 ? [] : [{ params, weightDecay: 0 }];
}

/**
 * Groups whose rate falls from the last layer to the first (Howard and Ruder 2018; Clark et al. 2020): `lrScale` is
 * decay^depth, depth counted from the last layer. Layers are told apart by `layerOf`, by default the first whole number in
 * the name; tensors without one count as the layer before all others.
 *
 * @param options `decay` in (0, 1]; `noDecay` true makes of each layer's biases and norms a group without weight decay.
 * @throws OptionError for a decay out of range.
 */
export function layerwiseDecay(
  tensors: readonly Pick<Tensor, "name" | "shape">[],
  options: {
    readonly decay: number;
    readonly noDecay?: boolean;
    readonly layerOf?: (name: string) => number;
  },
): readonly (GroupOptions & { readonly weightDecay?: 0 })[] {
  const decay = readNumber("layerwiseDecay.decay", options.decay, { above: 0, max: 1 });
  const layerOf = options.layerOf ?? ((name: string) => Number(/\d+/.exec(name)?.[0] ?? -1));
  const byLayer = new Map<number, Pick<Tensor, "name" | "shape">[]>();
  for (const tensor of tensors) {
    const layer = layerOf(tensor.name);
    const members = byLayer.get(layer);
    if (members) members.push(tensor);
    else byLayer.set(layer, [tensor]);
  }
  const layers = [...byLayer].sort(([a], [b]) => b - a);
  return layers.flatMap(([, members], depth) => {
    const spared = options.noDecay ? members.filter(isBiasOrNorm) : [];
    const rest = members.filter((tensor) => !options.noDecay || !isBiasOrNorm(tensor));
    const lrScale = decay ** depth;
    return [
      ...(rest.length > 0 ? [{ params: rest.map(({ name }) => name), lrScale }] : []),
      ...(spared.length > 0 ? [{ params: spared.map(({ name }) => name), lrScale, weightDecay: 0 as const }] : []),
    ];
  });
}
