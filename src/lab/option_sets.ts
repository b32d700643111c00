// Options under which a rule is verified: its defaults, and every option away from its default, so that none is tested
// only where it has no effect.
import type { Rule } from "../rules/rule.ts";

/** A rule's options by name. */
export type Options = Readonly<Record<string, number | boolean>>;

/** Sets that the rule accepts; in at least one of them, each hyper and each flag is away from its default. */
export function optionSets(rule: Rule): readonly Options[] {
  const away = Object.entries(rule.hypers).map(([hyper]): [string, number] => [hyper, awayFromDefault(rule, hyper)]);
  const flags = Object.entries(rule.flags).map(([flag, standard]): [string, boolean] => [flag, !standard]);
  const all = permitted(rule, away, []);
  const sets: Options[] = [{ lr: all.lr! }, { ...all, maximize: true }];
  for (const flag of flags) sets.push(permitted(rule, away, [flag]));
  // A hyper left out because of another is tested without that one.
  for (const hyper of away) {
    if (!sets.some((set) => hyper[0] in set)) sets.push(permitted(rule, [hyper, ...away], []));
  }
  return sets;
}

/** A value in the hyper's range that is neither its default nor 0. */
export function awayFromDefault(rule: Rule, hyper: string): number {
  const { default: standard, range } = rule.hypers[hyper]!;
  if (hyper === "lr") return 0.01;
  if (range.integer) return standard === 0 ? 3 : standard * 2;
  if (standard === 0) return inside(range.max ?? range.below ?? 0.2, 0.1);
  return Math.max(range.min ?? Number.NEGATIVE_INFINITY, standard * 0.9);
}

const inside = (most: number, value: number) => Math.min(most / 2, value);

/** As many of the hypers as the rule accepts together with the flags, the first ones preferred. */
function permitted(rule: Rule, hypers: readonly [string, number][], flags: readonly [string, boolean][]): Options {
  const standard = Object.fromEntries(Object.entries(rule.flags));
  const conflict = (chosen: ReadonlyMap<string, number>) =>
    rule.conflict?.({ ...standard, ...Object.fromEntries(flags) }, (hyper) => {
      return (chosen.get(hyper) ?? rule.hypers[hyper]!.default) !== 0;
    });
  const chosen = new Map(hypers);
  // One after the other, from the last, as long as there is a conflict.
  for (const [hyper, value] of [...hypers].reverse()) {
    if (!conflict(chosen)) break;
    chosen.delete(hyper);
    if (conflict(chosen)) chosen.set(hyper, value);
  }
  return { ...Object.fromEntries(chosen), ...Object.fromEntries(flags) };
}
