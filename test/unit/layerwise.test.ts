// Which layer a name means, and which names mean a bias or a norm, in the names that libraries give.
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { isBiasOrNorm, layerwiseDecay, noDecay } from "../../src/optimizer/groups.ts";

/** The names of each layer, the last layer first. */
function layersOf(names: string): readonly string[] {
  const tensors = names.split(" ").map((name) => ({ name, shape: [4, 4] }));
  const groups = layerwiseDecay(tensors, { decay: 0.5 });
  expect(groups.map(({ lrScale }) => lrScale)).toEqual(groups.map((_, depth) => 0.5 ** depth));
  return groups.map(({ params }) => (params as readonly string[]).join(" "));
}

describe("layerwiseDecay", () => {
  it.each<[string, string, readonly string[]]>([
    [
      "a ViT of timm",
      "cls_token pos_embed patch_embed.proj.weight blocks.0.norm1.weight blocks.0.mlp.fc2.weight blocks.1.attn.qkv.weight norm.weight head.weight",
      [
        "norm.weight head.weight",
        "blocks.1.attn.qkv.weight",
        "blocks.0.norm1.weight blocks.0.mlp.fc2.weight",
        "cls_token pos_embed patch_embed.proj.weight",
      ],
    ],
    [
      "the same in the order of the alphabet",
      "blocks.0.w blocks.1.w cls_token head.weight norm.weight patch_embed.w pos_embed",
      ["head.weight norm.weight", "blocks.1.w", "blocks.0.w", "cls_token patch_embed.w pos_embed"],
    ],
    [
      "a ResNet of torchvision",
      "conv1.weight bn1.weight layer1.0.conv1.weight layer1.1.bn2.weight layer2.0.conv1.weight fc.weight",
      ["fc.weight", "layer2.0.conv1.weight", "layer1.0.conv1.weight layer1.1.bn2.weight", "conv1.weight bn1.weight"],
    ],
    [
      "BERT",
      "bert.embeddings.LayerNorm.weight bert.encoder.layer.0.attention.self.query.weight bert.encoder.layer.1.output.dense.weight bert.pooler.dense.weight cls.predictions.transform.dense.weight",
      [
        "bert.pooler.dense.weight cls.predictions.transform.dense.weight",
        "bert.encoder.layer.1.output.dense.weight",
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.embeddings.LayerNorm.weight",
      ],
    ],
    [
      "GPT-2 in the order of the alphabet",
      "h.0.attn.c_attn.weight h.1.mlp.c_fc.weight h.10.ln_1.weight h.2.ln_1.weight ln_f.weight lm_head.weight wpe.weight wte.weight",
      [
        "ln_f.weight lm_head.weight",
        "h.10.ln_1.weight",
        "h.2.ln_1.weight",
        "h.1.mlp.c_fc.weight",
        "h.0.attn.c_attn.weight",
        "wpe.weight wte.weight",
      ],
    ],
    [
      "a ViT of torchvision",
      "class_token conv_proj.weight encoder.pos_embedding encoder.layers.encoder_layer_0.w encoder.layers.encoder_layer_1.w encoder.ln.weight heads.head.weight",
      [
        "encoder.ln.weight heads.head.weight",
        "encoder.layers.encoder_layer_1.w",
        "encoder.layers.encoder_layer_0.w",
        "class_token conv_proj.weight encoder.pos_embedding",
      ],
    ],
    [
      "a VGG",
      "features.0.weight features.3.weight classifier.0.weight classifier.3.weight",
      ["classifier.0.weight classifier.3.weight", "features.3.weight", "features.0.weight"],
    ],
    [
      "Keras and tfjs",
      "conv2d_1/kernel conv2d_1/bias conv2d_2/kernel conv1d_3/kernel conv2d_3/kernel dense_1/kernel dense_2/kernel",
      [
        "dense_2/kernel",
        "dense_1/kernel",
        "conv1d_3/kernel conv2d_3/kernel",
        "conv2d_2/kernel",
        "conv2d_1/kernel conv2d_1/bias",
      ],
    ],
    ["a network by hand", "w1 b1 w2 b2", ["w2 b2", "w1 b1"]],
    [
      "a perceptron of this library",
      "layer1.weight layer1.bias layer2.weight",
      ["layer2.weight", "layer1.weight layer1.bias"],
    ],
    [
      "a recurrent network of this library",
      "input.weight hidden.weight output.weight",
      ["output.weight", "hidden.weight", "input.weight"],
    ],
    [
      "two towers",
      "visual.blocks.0.w visual.blocks.1.w text.blocks.0.w text.blocks.1.w",
      ["visual.blocks.1.w text.blocks.1.w", "visual.blocks.0.w text.blocks.0.w"],
    ],
    ["a Sequential", "0.weight 2.weight 4.weight", ["4.weight", "2.weight", "0.weight"]],
  ])("tells the layers of %s apart", (_, names, layers) => {
    expect(layersOf(names)).toEqual(layers);
  });

  it("takes layers from a function, and refuses one that gives none", () => {
    const tensors = ["a", "b"].map((name) => ({ name, shape: [2] }));
    const groups = layerwiseDecay(tensors, { decay: 0.5, layerOf: (name) => (name === "a" ? 1 : 0) });
    expect(groups.map(({ params }) => params)).toEqual([["a"], ["b"]]);
    const none = (() => undefined) as unknown as () => number;
    expect(() => layerwiseDecay(tensors, { decay: 0.5, layerOf: none })).toThrow(/returned undefined for "a"/);
  });

  it.each([
    [0.5],
    [undefined],
    [null],
    [{ decay: 0.5, noDecay: 1 }],
    [{ decay: 0.5, layerOf: 1 }],
    [{ deca: 1 }],
    [{ decay: 2 }],
  ])("refuses %j as options", (options) => {
    expect(() => layerwiseDecay([], options as { decay: number })).toThrow(OptionError);
  });

  it("and noDecay refuse what are no tensors", () => {
    const bad = [null, 1, {}, [null], [{ name: "w" }], [{ shape: [] }]] as unknown as never[][];
    for (const tensors of bad) {
      expect(() => layerwiseDecay(tensors, { decay: 1 })).toThrow(OptionError);
      expect(() => noDecay(tensors)).toThrow(OptionError);
    }
  });
});

describe("isBiasOrNorm", () => {
  it.each<[string, number[]]>([
    ["head.weight", [64, 1]],
    ["head.weight", [1, 64]],
    ["normal_head.weight", [64, 64]],
    ["unbiased_encoder.weight", [64, 64]],
    ["denormalize.weight", [64, 64]],
    ["abnormality.weight", [64, 64]],
    ["enormous.weight", [64, 64]],
    ["debiaser/kernel", [3, 3]],
    ["albino.kernel", [3, 3]],
  ])("%s of shape %j is neither", (name, shape) => {
    expect(isBiasOrNorm({ name, shape })).toBe(false);
  });

  it.each<[string, number[]]>([
    ["w", []],
    ["w", [64]],
    ["w", [1]],
    ["layers.0.bias", [4, 4]],
    ["relative_position_bias_table", [169, 4]],
    ["bert.embeddings.LayerNorm.weight", [4, 4]],
    ["input_layernorm.weight", [4, 4]],
    ["blocks.2.norm1.weight", [4, 4]],
    ["RMSNorm_0.scale", [4, 4]],
    ["BatchNorm2d.weight", [4, 4]],
    ["batch_normalization_1/gamma", [1, 4]],
    ["ln_f.weight", [4, 4]],
    ["bn2.weight", [4, 4]],
    ["q_norm.weight", [4, 4]],
  ])("%s of shape %j is one", (name, shape) => {
    expect(isBiasOrNorm({ name, shape })).toBe(true);
  });
});
