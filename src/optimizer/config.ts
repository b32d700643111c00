// An optimizer's config: a rule, its options, and the options that every rule shares (groups, clipping, averages …). These
// are the types; src/optimizer/plan.ts reads and checks them.
import type { ModifierConfig } from "../modifiers/modifier.ts";
import type { Rule, RuleConfig } from "../rules/rule.ts";
import type { Scheduled } from "../schedules/schedule.ts";

/**
 * Which tensors: a name, a glob (`*` any characters, `?` one), or a regular expression that matches anywhere in the name. `{
 * regex, flags }` is a regular expression as JSON; when read by `readConfig`, it matches in time proportional to name and
 * expression, and must have no back references, modifiers or flag v.
 */
export type Pattern = string | RegExp | { readonly regex: string; readonly flags?: string | undefined };

/** Options of any group besides hypers. */
export type GroupOptions = {
  /** Its tensors. Each pattern must match one, and a tensor belongs to one group. */
  readonly params: Pattern | readonly Pattern[];
  /** Factor of the group's rate, whatever schedule drives it; >= 0, default 1. */
  readonly lrScale?: number | undefined;
  /** Whether parameters and slots keep their values and the gradient stays out of the norm; default false. */
  readonly frozen?: boolean | undefined;
  /**
   * For rules that take a `fallback`: the group's own, in place of the optimizer's. For its tensors, its options take precedence
   * over the group's.
   */
  readonly fallback?: RuleConfig | undefined;
};

/** The overrides of a replica besides the optimizer's hypers. */
export type ReplicaOptions = {
  /** Hypers in place of those of each group of the config, in its order. */
  readonly groups?: readonly Readonly<Record<string, unknown>>[] | undefined;
  /** Hypers in place of those of the optimizer's `fallback`. */
  readonly fallback?: Readonly<Record<string, unknown>> | undefined;
};

/** Options of every rule besides its own; `Hypers` are the rule's schedulable scalars. */
export type CommonOptions<Hypers> = {
  /** Ascend instead of descend; default false. */
  readonly maximize?: boolean | undefined;
  /**
   * Tensors with their own hypers; a hyper that a group does not name has the optimizer's value. A group with its own `rule` has
   * that rule's options and defaults instead. The options of a group without one apply to all of its tensors, including those
   * that its rule leaves to the `fallback`, if the fallback's rule has the hyper.
   */
  readonly groups?:
    | readonly (
        | (Hypers & GroupOptions)
        | (GroupOptions & { readonly rule: Rule; readonly [option: string]: unknown })
      )[]
    | undefined;
  /** Modifiers, such as `[clipGlobalNorm({ maxNorm: 1 }), accumulate(4)]`, in any order. */
  readonly modifiers?: readonly ModifierConfig[] | undefined;
  /**
   * One entry for each copy of all parameters that trains in the same dispatch, with hypers that replace the optimizer's; default
   * one copy. Hypers that a group or a fallback sets for itself are the same in all copies, unless an entry overrides them in
   * `groups` (one entry of hypers for each group, which may hold a `fallback`) or `fallback`; `set(hypers, { group, replica })`
   * changes it later.
   */
  readonly replicas?: readonly (Hypers & ReplicaOptions)[] | undefined;
};

/** An optimizer's config, as made by a rule's function from its options. */
export type OptimizerConfig = Omit<CommonOptions<unknown>, "groups" | "replicas"> & {
  readonly rule: Rule;
  readonly lr?: Scheduled | undefined;
  readonly groups?: readonly (GroupOptions & { readonly [option: string]: unknown })[] | undefined;
  readonly replicas?: readonly { readonly [option: string]: unknown }[] | undefined;
  readonly [option: string]: unknown;
};

/** An optimizer's config as plain JSON, for `readConfig`: names in place of rules and schedules. */
export type OptimizerJson = {
  /** The rule's name. */
  readonly rule: string;
  readonly [option: string]: unknown;
};
