// The registry of kinds of models, and the function that turns a config into a model.

import type { Aliases } from "../../base/names.ts";
import { isOptions } from "../../base/options.ts";
import { readName } from "../../base/words.ts";
import type { Model, ModelKind } from "../model.ts";
import { type CompleteMlpConfig, type MlpConfig, mlp } from "./mlp.ts";
import { type CompletePinnConfig, type PinnConfig, pinn } from "./pinn.ts";
import { type CompleteRnnConfig, type RnnConfig, rnn } from "./rnn.ts";

/** A model's config: plain JSON, or the result of a kind's function. */
export type ModelConfig = MlpConfig | RnnConfig | PinnConfig;

/** A model's config with every default filled in. */
export type CompleteModelConfig = CompleteMlpConfig | CompleteRnnConfig | CompletePinnConfig;

/** All kinds; a config without a type is of the first. */
const modelKinds: readonly ModelKind[] = [mlp, rnn, pinn];

/** Other words for kinds of models. */
const modelAliases: Aliases = {
  perceptron: "mlp",
  multilayerperceptron: "mlp",
  feedforward: "mlp",
  dense: "mlp",
  recurrent: "rnn",
  physicsinformed: "pinn",
};

/** A model from its config. @throws OptionError for anything but a model's config. */
export function createModel(config: ModelConfig): Model<CompleteModelConfig> {
  const given: unknown = isOptions(config) ? config.type : undefined;
  const names = modelKinds.map(({ kind }) => kind);
  const kind =
    given === undefined
      ? modelKinds[0]!
      : (modelKinds.find((each) => each === given || each.kind === given) ??
        modelKinds[names.indexOf(readName("model.type", given, names, modelAliases))]!);
  return kind.read(config as never) as Model<CompleteModelConfig>;
}
