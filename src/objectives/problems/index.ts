// The registry of problems, and the function that turns a config into one.
import { OptionError, refusal, show } from "../../base/errors.ts";
import { meant } from "../../base/names.ts";
import { isOptions, type Members, readMade } from "../../base/options.ts";
import { didYouMean } from "../../base/words.ts";
import { poisson } from "./poisson.ts";
import type { Problem, ProblemConfig, ProblemKind } from "./problem.ts";

const problemKinds: readonly ProblemKind[] = [poisson];

/**
 * Reads a problem's config; a custom problem is returned as it is. `name` is its name in errors.
 *
 * @throws OptionError for an unknown type or option, and for values out of range.
 */
export function readProblem(name: string, value: ProblemConfig | Problem | undefined): Problem {
  const types = problemKinds.map(({ type }) => type);
  const names = types.join(", ");
  if (!isOptions(value)) {
    throw refusal(name, value, `the config of ${names}, or a result of problems.define()`);
  }
  if ("left" in value) return readMade(name, value as unknown as Problem, "what problems.define() returns", made);
  const { type } = value;
  const kind = problemKinds.find((each) => each === type || each.type === meant(type, types));
  if (kind) return kind.read(name, value as unknown as ProblemConfig);
  const given = type === undefined ? "missing" : `${show(type)}, which is not a known problem`;
  throw new OptionError(`${name}.type is ${given}; known are ${names}${didYouMean(type, types)}`);
}

const made: Members = {
  ...{ name: "string", dimensions: "number", wgsl: "string", boundary: "array" },
  ...{ left: "function", slopes: "function", right: "function", toJSON: "function" },
};
