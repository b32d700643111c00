// The function forms of configs: `adamw(3e-4, { weightDecay: 0.1 })`, `cosine({ base: 0.1, steps: 100 })`. They make plain
// JSON, and refuse what is no rate and no object of options at once: spread into a config it would vanish.
import { OptionError, show } from "./errors.ts";
import { isOptions, readNumber } from "./options.ts";
import type { Rule } from "./rule.ts";
import type { ScheduleConfig, Scheduled } from "./schedule.ts";

/** What makes the config of a rule: of its options, or of a rate and the other options. */
export interface RuleFunction<Name extends string, Options extends { lr?: Scheduled | undefined }> {
  (options?: Options): Options & { rule: Name };
  /**
   * @param lr The rate: a number, a schedule's config or a function of the step.
   * @param options The other options, without `lr`.
   */
  (lr: Scheduled, options?: Omit<Options, "lr">): Options & { rule: Name };
}

/**
 * The function form of a rule.
 *
 * @throws OptionError, when it is called, for arguments of any other kind; what the options may be is checked where an
 * optimizer is made.
 */
export function ruleFunction<Name extends string, Options extends { lr?: Scheduled | undefined }>({
  name,
  hypers,
}: Rule): RuleFunction<Name, Options> {
  const { range } = hypers.lr!;
  const usage = `${name}(options) or ${name}(lr, options)`;
  return (...given: readonly unknown[]) => {
    const [first, second, ...rest] = given;
    const extra = rest.find((value) => value !== undefined);
    if (extra !== undefined) {
      throw new OptionError(`${name} was given ${show(extra)} as a third argument; it takes ${usage}`);
    }
    if (!isRate(first)) {
      const options = readForm(name, first, "options, or a rate (a number, a schedule or a function of the step)");
      if (second === undefined) return { ...options, rule: name } as Options & { rule: Name };
      if (first !== undefined) {
        throw new OptionError(`${name} was given ${show(second)} after its options; it takes ${usage}`);
      }
      return { ...readForm(name, second, "the options beside the rate"), rule: name } as Options & { rule: Name };
    }
    if (typeof first === "number") readNumber(`${name}.lr`, first, range);
    const options = readForm(name, second, "the options beside the rate");
    if (options.lr !== undefined) {
      throw new OptionError(
        `${name} was given the rate ${show(first)} and lr ${show(options.lr)}; it takes one of them`,
      );
    }
    return { ...options, lr: first, rule: name } as unknown as Options & { rule: Name };
  };
}

function isRate(value: unknown): boolean {
  if (typeof value === "number" || typeof value === "function") return true;
  return isOptions(value) && typeof value.type === "string";
}

/** Options of the function form called `name`; none are none. */
function readForm(name: string, value: unknown, what: string): Record<string, unknown> {
  if (value === undefined) return {};
  if (!isOptions(value)) throw new OptionError(`${name} was given ${show(value)}; it must be an object of ${what}`);
  if (value.rule !== undefined && value.rule !== name) {
    throw new OptionError(
      `${name} was given options whose rule is ${show(value.rule)}; it must be "${name}" or left out`,
    );
  }
  return value;
}

/**
 * The config of a type with its options.
 *
 * @throws OptionError for options that are no object, or are those of another type.
 */
export function typedConfig(type: string, options: unknown): ScheduleConfig {
  if (options !== undefined && !isOptions(options)) {
    throw new OptionError(`${type} was given ${show(options)}; it must be an object of its options`);
  }
  if (options?.type !== undefined && options.type !== type) {
    throw new OptionError(
      `${type} was given options whose type is ${show(options.type)}; it must be "${type}" or left out`,
    );
  }
  return { ...options, type };
}
