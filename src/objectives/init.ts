// Initial weights: He (He, Zhang, Ren, Sun 2015) for rectifiers, Glorot (Glorot and Bengio 2010) otherwise, LeCun (LeCun, Bottou,
// Orr, Müller 1998) if few inputs must spread over many units; normal or uniform. Drawn from the seeded generator, so the same
// seed gives the same float32 weights on every engine.

import type { Aliases, Name } from "../base/names.ts";
import { readNumber } from "../base/options.ts";
import { Random } from "../base/random.ts";
import { readFields, readName } from "../base/words.ts";

export const initTypes = [
  "heNormal",
  "heUniform",
  "glorotNormal",
  "glorotUniform",
  "lecunNormal",
  "lecunUniform",
] as const;

export type InitType = (typeof initTypes)[number];

/** How weights are drawn before training. */
export interface InitConfig {
  /**
   * Variance 2/fanIn (he), 2/(fanIn + fanOut) (glorot) or 1/fanIn (lecun); default heNormal with relu, gelu and silu, else
   * lecunNormal for a physics-informed network and glorotUniform for others.
   */
  readonly type?: Name<InitType>;
  /** A whole number in [0, 2^53); default 0. */
  readonly seed?: number;
}

/** Aliases: Kaiming He's and Xavier Glorot's first names. */
const initAliases: Aliases<InitType> = {
  he: "heNormal",
  kaiming: "heNormal",
  kaimingnormal: "heNormal",
  kaiminguniform: "heUniform",
  glorot: "glorotUniform",
  xavier: "glorotUniform",
  xaviernormal: "glorotNormal",
  xavieruniform: "glorotUniform",
  lecun: "lecunNormal",
};

export function readInit(value: InitConfig, standard: InitType): Required<InitConfig> {
  const fields = readFields("init", value, ["type", "seed"]);
  return {
    type: fields.type === undefined ? standard : readName("init.type", fields.type, initTypes, initAliases),
    seed:
      fields.seed === undefined
        ? 0
        : readNumber("init.seed", fields.seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
  };
}

/** A weight of shape [fanIn, fanOut]; `stream` distinguishes the tensors of one model. */
export function initialWeight(
  { type, seed }: Required<InitConfig>,
  fanIn: number,
  fanOut: number,
  stream: number,
): Float32Array {
  const random = new Random(seed, stream);
  const variance = type.startsWith("he") ? 2 / fanIn : type.startsWith("lecun") ? 1 / fanIn : 2 / (fanIn + fanOut);
  const deviation = Math.sqrt(variance);
  const bound = Math.sqrt(3 * variance);
  const draw = type.endsWith("Normal") ? () => deviation * random.normal() : () => bound * (2 * random.uniform() - 1);
  return Float32Array.from({ length: fanIn * fanOut }, draw);
}
