// The registry of landscapes, and the function that turns a config into one.
import { OptionError, refusal, show } from "../../base/errors.ts";
import { type Aliases, meant } from "../../base/names.ts";
import { readString } from "../../base/options.ts";
import { didYouMean } from "../../base/words.ts";
import { beale } from "./beale.ts";
import type { Landscape, LandscapeConfig, LandscapeDefinition } from "./define.ts";
import { himmelblau } from "./himmelblau.ts";
import { logisticMap } from "./logistic_map.ts";
import { quadratic } from "./quadratic.ts";
import { quartic } from "./quartic.ts";
import { rastrigin } from "./rastrigin.ts";
import { rosenbrock } from "./rosenbrock.ts";
import { saddle } from "./saddle.ts";

/** In the order of docs/landscapes.md. */
export const landscapeDefinitions: readonly LandscapeDefinition[] = [
  quadratic,
  rosenbrock,
  rastrigin,
  beale,
  himmelblau,
  saddle,
  quartic,
  logisticMap,
];

/** The types of landscape that a config may name. */
export const landscapeTypes: readonly string[] = landscapeDefinitions.map(({ type }) => type);

/** Other words for landscapes. */
const landscapeAliases: Aliases = { banana: "rosenbrock", bowl: "quadratic", logistic: "logisticMap" };

/** The version of all configs; it changes when a meaning does. */
const version = 1;

/**
 * Reads a landscape's config. It may have a `version` (1), which the complete config then has too. `name` is its name in errors.
 *
 * @throws OptionError for an unknown type, version or option, and for values out of range.
 */
export function createLandscape(config: LandscapeConfig, name = "landscape"): Landscape {
  readString("name", name);
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw refusal(name, config, "a landscape's config");
  }
  const { version: given, ...rest } = config;
  const type = meant(rest.type, landscapeTypes, landscapeAliases);
  const definition = landscapeDefinitions.find((each) => each === rest.type || each.type === type);
  if (!definition) {
    throw new OptionError(
      rest.type === undefined
        ? `${name}.type is missing; known landscapes are ${landscapeTypes.join(", ")}`
        : `${name}.type is ${show(rest.type)}, which is not a known landscape; the known ones are ${landscapeTypes.join(", ")}${didYouMean(rest.type, landscapeTypes)}`,
    );
  }
  if (given !== undefined && given !== version) {
    throw new OptionError(
      `${name}.version is ${show(given)}, which is not a known version; the only one is ${version}`,
    );
  }
  const landscape = definition.read(name, { ...rest, type: definition.type });
  return given === undefined ? landscape : { ...landscape, config: { ...landscape.config, version } };
}
