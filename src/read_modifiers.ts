// Reads the modifiers of a config: values in `modifiers`, or the keys that they have in JSON.
import { OptionError, show } from "./errors.ts";
import { type ActiveModifier, isModifier, type Modifier } from "./modifier.ts";
import { modifiers as registry } from "./modifiers/index.ts";

/** The keys that modifiers have in JSON. */
export function modifierKeys(): readonly string[] {
  return [...new Set(registry().map(({ key }) => key))];
}

/** What stands under the keys of modifiers that are not there, in a complete config. */
export const absentModifiers = {
  clip: null,
  cautious: false,
  watch: false,
  accumulate: 1,
  lossScale: null,
  ema: null,
  swa: null,
  lookahead: null,
} as const;

/**
 * The modifiers of a config in the order in which they come into effect.
 *
 * @throws OptionError for what is no modifier, one that is given twice, options out of range.
 */
export function readModifiers(name: string, fields: Readonly<Record<string, unknown>>): readonly ActiveModifier[] {
  const given = new Map<string, readonly [Modifier, unknown]>();
  for (const [modifier, value] of valuesIn(name, fields.modifiers)) {
    const { key } = modifier;
    if (given.has(key) || (fields[key] !== undefined && fields[key] !== null)) {
      throw new OptionError(
        `${name}.modifiers has ${modifier.name}, but ${key} is given already; it must be there once`,
      );
    }
    given.set(key, [modifier, value]);
  }
  for (const key of modifierKeys()) {
    const value = fields[key];
    if (value === undefined || given.has(key)) continue;
    const modifier = named(key, value);
    if (modifier) given.set(key, [modifier, value]);
  }
  return registry().flatMap((modifier) => {
    const [wanted, value] = given.get(modifier.key) ?? [];
    if (wanted?.name !== modifier.name) return [];
    const owner = modifier.key === "clip" ? "clip" : `${name}.${modifier.key}`;
    return wanted.activate(owner, value) ?? [];
  });
}

/** Modifier values with what would stand under their keys. */
function valuesIn(name: string, value: unknown): readonly (readonly [Modifier, unknown])[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw new OptionError(`${name}.modifiers is ${show(value)}; it must be an array such as [ema({ decay: 0.99 })]`);
  }
  return value.map((entry: unknown, index) => {
    const { modifier, ...options } = Object(entry) as { modifier?: unknown };
    if (!isModifier(modifier)) {
      throw new OptionError(
        `${name}.modifiers[${index}] is ${show(entry)}; it must be what a modifier's function returns, such as ema({ decay: 0.99 })`,
      );
    }
    const { argument } = modifier;
    return [modifier, argument === undefined ? options : (options as Record<string, unknown>)[argument]] as const;
  });
}

/** The modifier of a key, of several by their type. */
function named(key: string, value: unknown): Modifier | undefined {
  const its = registry().filter((modifier) => modifier.key === key);
  if (its[0]!.type === undefined) return its[0];
  if (value === null) return undefined;
  if (typeof value !== "object") {
    throw new OptionError(`clip is ${show(value)}; it must be an object such as { type: "globalNorm", maxNorm: 1 }`);
  }
  const { type } = value as { readonly type?: unknown };
  const found = its.find((modifier) => modifier.type === type);
  if (found) return found;
  throw new OptionError(
    `clip.type is ${type === undefined ? "missing" : show(type)}, which is not a known clipping; known are ${its.map((modifier) => modifier.type).join(", ")}`,
  );
}
