// Options under which a rule's laws are run: its defaults, and every option away from its default, so that none is tested
// only where it does nothing.
import type { Rule } from "../src/rule.ts";

export function optionSets(rule: Rule): readonly object[] {
  const away = Object.fromEntries(
    Object.entries(rule.hypers).map(([hyper, { default: standard, range }]) => {
      if (hyper === "lr") return [hyper, 0.01];
      const value = standard === 0 ? 0.1 : standard * 0.9;
      return [hyper, Math.max(range.min ?? value, value)];
    }),
  );
  const flags = Object.keys(rule.flags).map((flag) => ({ ...away, ...permitting(rule, flag), [flag]: true }));
  return [{ lr: 0.01 }, away, { ...away, maximize: true }, ...flags];
}

/** Hypers that do nothing while another one is 0. */
const idleWithout: Readonly<Record<string, Readonly<Record<string, string>>>> = { sgd: { dampening: "momentum" } };

/** The hypers that may take any value under these options, and matter under them. */
export function freeHypers(rule: Rule, options: object): readonly string[] {
  const flags = Object.keys(rule.flags).filter((flag) => (options as Record<string, unknown>)[flag] === true);
  const bound = flags.flatMap((flag) => Object.keys(permitting(rule, flag)));
  const idle = Object.entries(idleWithout[rule.name] ?? {})
    .filter(([, other]) => ((options as Record<string, number>)[other] ?? rule.hypers[other]!.default) === 0)
    .map(([hyper]) => hyper);
  return Object.keys(rule.hypers).filter((hyper) => !bound.includes(hyper) && !idle.includes(hyper));
}

/** What a flag needs of other options. */
function permitting(rule: Rule, flag: string): object {
  return rule.name === "sgd" && flag === "nesterov" ? { momentum: 0.9, dampening: 0 } : {};
}
