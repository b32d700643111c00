// A modifier: what an optimizer does besides its rule, such as clipping, skipping and averages. Each is one value: its
// definition, and the function that makes its config.

import { OptionError, refusal, show } from "../base/errors.ts";
import { isOptions, readArray } from "../base/options.ts";
import type { ModifierKernel } from "../engines/stages/stage.ts";
import type { Segment } from "../optimizer/arena.ts";
import type { MatrixView } from "../optimizer/layout.ts";
import type { Rule } from "../rules/rule.ts";

/** A modifier in a config: the modifier, and its options. */
export interface ModifierConfig {
  /** The modifier itself; in JSON its name. */
  readonly modifier: Modifier;
  readonly [option: string]: unknown;
}

/** The effects of a modifier on a plan. All are optional. */
export interface Effects extends Partial<Omit<ModifierKernel, "name">> {
  /** Slots that it keeps; they start as the parameters. */
  readonly slots?: readonly string[];
  /** Columns of the row, placed before the rule's, and their values in update number `step + 1`. */
  readonly columns?: readonly string[];
  row?(step: number): Readonly<Record<string, number>>;
  /** Scalars that it keeps for each tensor, for its update hook. */
  readonly scalars?: readonly string[];
  /** The lines of a tensor for each of which it keeps one number, in the block of its name. */
  linesOf?(segment: Segment): { readonly view: MatrixView; readonly alongRows?: boolean } | undefined;
  /** Clipping by a norm of all tensors together, or of each group. */
  readonly norm?: { readonly kind: 1 | 2 | "inf"; readonly maxNorm: number; readonly byGroup: boolean };
  /** Whether steps with a gradient that is not finite are skipped by default; the last modifier that sets it decides. */
  readonly skips?: boolean;
  readonly lossScale?: LossScaling;
  /** Gradients whose mean makes an update. */
  readonly accumulate?: number;
  /** The message about gradients that are missing from the mean. */
  readonly missed?: (gradients: number) => string;
  /** Whether a model should be evaluated with the slot of its name, after this many updates. */
  evaluates?(updates: number): boolean;
}

/** Dynamic scaling of the loss, complete. */
export interface LossScale {
  readonly init: number;
  readonly growth: number;
  readonly backoff: number;
  readonly interval: number;
  readonly min: number;
}

/** Dynamic scaling of the loss in a plan. */
export interface LossScaling extends LossScale {
  /** Why a replica whose scale cannot fall any further takes no more steps. */
  underflow(step: number, scale: number): string;
}

/** Its reciprocal is the least normal float32: one over a larger scale would be 0. */
export const largestLossScale = 2 ** 126;

/** A modifier with its options, in a plan. */
export interface ActiveModifier extends Omit<Effects, "hooks" | "snippets">, ModifierKernel {
  readonly modifier: Modifier;
  /** Its complete options, as under its key in JSON. */
  readonly json: unknown;
}

/** The context of a modifier. */
export interface Surroundings {
  readonly rules: readonly Rule[];
  readonly segments: readonly Segment[];
  /** Whether steps are skipped. */
  readonly skips: boolean;
}

/** A cost in docs/rules.md, and configs with this cost, which tests count. */
export interface ModifierCost {
  readonly option: string;
  readonly examples: readonly Readonly<Record<string, unknown>>[];
  /** Per gradient; `accumulate` takes several for an update. */
  readonly dispatches: number;
  /** Bytes per parameter. */
  readonly state: string;
  readonly moved: string;
}

/** A modifier's entry in docs/rules.md: a value beside its definition, so that bundles leave it out. */
export interface ModifierNotes {
  /** Its function, with the names of its options. */
  readonly call: string;
  /** Its effect; starts with a verb. */
  readonly effect: string;
  /** The paper or library that it follows; "definition" if there is none. */
  readonly source: string;
  /** Its costs; several rows if they depend on other options. */
  readonly costs: readonly ModifierCost[];
}

export interface ModifierDefinition<S> {
  /** Unique; snake_case in WGSL, where it names the hooks. */
  readonly name: string;
  /** Its place in the order of modifiers: the smallest first. */
  readonly order: number;
  /** Its key in JSON, and its `type` where several share a key. */
  readonly key: string;
  readonly type?: string;
  /** The single option of its function, if that takes no object of options. */
  readonly argument?: string;
  /** Another set of options, away from the defaults, under which the laws run it; undefined if it changes no update. */
  readonly law?: unknown;
  /**
   * Reads its options from the value under its key; undefined if the modifier is off. Throws OptionErrors that start with
   * `owner`.
   */
  read(owner: string, value: unknown): S | undefined;
  /** The options as JSON; by default unchanged. */
  json?(settings: S): unknown;
  /** A sentence about an option that conflicts with it, if any. */
  conflict?(settings: S, surroundings: Surroundings): string | undefined;
  /** Its effects under these options. */
  effects(settings: S): Effects;
}

/** A modifier with any options. */
export interface Modifier extends Omit<ModifierDefinition<unknown>, "read" | "json" | "conflict" | "effects"> {
  /** The modifier with the options under its key; undefined if it is off. @internal */
  activate(owner: string, value: unknown): ActiveModifier | undefined;
  /** The conflict with it, if any, for the result of `activate`. @internal */
  refusal(active: ActiveModifier, surroundings: Surroundings): string | undefined;
  /** Its name. */
  toJSON(): string;
}

/** The function of a modifier whose options are an object. */
export type ModifierFunction<Options> = Modifier & ((options?: Options) => ModifierConfig);

/** The function of a modifier with one option. */
export type ArgumentFunction<T> = Modifier & ((argument: T) => ModifierConfig);

/** The function of a modifier that is on or off. */
export type SwitchFunction = Modifier & ((on?: boolean) => ModifierConfig);

/** Makes a modifier from its definition. In JSON it is its name. */
export function defineModifier<S, F extends Modifier>(definition: ModifierDefinition<S>): F {
  const { name, argument } = definition;
  const settingsOf = new WeakMap<ActiveModifier, S>();
  const make = (value: unknown): ModifierConfig => {
    if (argument !== undefined) return { modifier, [argument]: value ?? true };
    if (value !== undefined && !isOptions(value)) {
      throw new OptionError(`${name} was given ${show(value)}; it must be an object of options`);
    }
    return { modifier, ...(value as object | undefined) };
  };
  const fields: Omit<Modifier, keyof ModifierDefinition<S>> & object = {
    activate(owner: string, value: unknown): ActiveModifier | undefined {
      const settings = definition.read(owner, value);
      if (settings === undefined) return undefined;
      const json = definition.json ? definition.json(settings) : settings;
      const active = { hooks: [], snippets: [], ...definition.effects(settings), name, modifier, json };
      settingsOf.set(active, settings);
      return active;
    },
    refusal: (active: ActiveModifier, surroundings: Surroundings) =>
      definition.conflict?.(settingsOf.get(active)!, surroundings),
    toJSON: () => name,
  };
  for (const [field, value] of Object.entries({ ...definition, ...fields })) {
    Object.defineProperty(make, field, { value, enumerable: true });
  }
  const modifier = make as unknown as F;
  return modifier;
}

/**
 * The modifiers of a config in the order in which they apply.
 *
 * @throws OptionError for anything but a modifier, two of one kind, and options out of range.
 */
export function readModifiers(name: string, value: unknown = []): readonly ActiveModifier[] {
  const keys = new Set<string>();
  const given = readArray(`${name}.modifiers`, value, "modifiers").map((entry, index) => {
    const { modifier } = Object(entry) as { readonly modifier?: unknown };
    if (!isModifier(modifier)) {
      throw refusal(`${name}.modifiers[${index}]`, entry, "a modifier, such as ema({ decay: 0.99 })");
    }
    const { key } = modifier;
    if (keys.has(key)) {
      throw new OptionError(
        `${name}.modifiers has ${modifier.name}, but ${key} is already given; it must be given once`,
      );
    }
    keys.add(key);
    return { modifier, owner: key === "clip" ? key : `${name}.${key}`, value: optionsOf(entry as ModifierConfig) };
  });
  return given
    .sort((a, b) => a.modifier.order - b.modifier.order)
    .flatMap(({ modifier, owner, value }) => modifier.activate(owner, value) ?? []);
}

/** The value under a modifier's key in JSON. */
function optionsOf({ modifier, ...options }: ModifierConfig): unknown {
  return modifier.argument === undefined ? options : options[modifier.argument];
}

/** A modifier in a config, from the value under its key in JSON. */
export function modifierConfig(modifier: Modifier, json: unknown): ModifierConfig {
  if (modifier.argument !== undefined) return { modifier, [modifier.argument]: json };
  const { type: _, ...options } = json as Readonly<Record<string, unknown>>;
  return { modifier, ...options };
}

/** The modifiers of a config by their keys in JSON. */
export function flatModifiers(modifiers: readonly ModifierConfig[] = []): Record<string, unknown> {
  return Object.fromEntries(
    modifiers.map((config) => {
      const { key, type } = config.modifier;
      const options = optionsOf(config);
      return [key, type === undefined ? options : { type, ...(options as object) }];
    }),
  );
}

/** Gives a config its form in JSON: that of `json`, or its own with every modifier under its key. */
export function withJson<T extends object>(config: T, json: () => object = () => flatten(config)): T {
  return Object.defineProperty(config, "toJSON", { value: json });
}

/** A config as in JSON, with every modifier under its key. */
export function flatConfig(config: object): Readonly<Record<string, unknown>> {
  const { toJSON } = config as { readonly toJSON?: () => Record<string, unknown> };
  return toJSON ? toJSON() : flatten(config);
}

/** Gradients whose mean makes an update of a config. */
export function accumulateOf(config: object): number {
  return (flatConfig(config).accumulate as number | undefined) ?? 1;
}

function flatten({
  modifiers,
  ...others
}: {
  readonly modifiers?: readonly ModifierConfig[];
}): Record<string, unknown> {
  return { ...others, ...flatModifiers(modifiers) };
}

/** Whether a value is what {@link defineModifier} returns. */
function isModifier(value: unknown): value is Modifier {
  return typeof value === "function" && "activate" in value && "key" in value;
}
