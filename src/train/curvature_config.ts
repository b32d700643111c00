// How often a run measures the largest curvature of its loss: the config.
import { OptionError, show } from "../base/errors.ts";
import { readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import type { Program } from "../objectives/program.ts";

/** How often a run measures its sharpness, and on which rows. */
export interface CurvatureConfig {
  /**
   * Steps from one measurement to the next, a whole number >= 1. The first costs some 30 to 60 gradients over `rows`, each later
   * one, which continues from the last eigenvector, usually 6 to 20.
   */
  readonly every: number;
  /**
   * With data: the loss over this many training rows, from the first, or over all of them if there are fewer; a whole
   * number >= 1, default 1000.
   */
  readonly rows?: number | null | undefined;
}

/** {@link CurvatureConfig} with every default filled in; `rows` is null without data. */
export interface CompleteCurvatureConfig extends CurvatureConfig {
  readonly rows: number | null;
}

/** @throws OptionError for an invalid config, and for rows without data. */
export function readCurvature(value: unknown, { needsData, title }: Program): CompleteCurvatureConfig {
  const fields = readFields("curvature", value, ["every", "rows"]);
  const every = readNumber("curvature.every", fields.every, { min: 1, integer: true });
  const rows = fields.rows ?? null;
  if (!needsData) {
    if (rows === null) return { every, rows };
    throw new OptionError(`curvature.rows is ${show(rows)}; ${title} takes no data, so it must be left out`);
  }
  return { every, rows: readNumber("curvature.rows", rows ?? 1000, { min: 1, integer: true }) };
}
