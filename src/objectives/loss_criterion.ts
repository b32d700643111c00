// A loss as a model's criterion: outputs against the labels or targets of a data set.

import { bytesOf } from "../engines/gpu/allocate.ts";
import { grid } from "../engines/gpu/device.ts";
import { compileKernel } from "../engines/gpu/kernel.ts";
import type { Criterion } from "./criterion.ts";
import { type CompleteLossConfig, checkAnswers, judgeOf, lossEntries, optionOf, targetsOf } from "./loss.ts";
import { lossSources } from "./sources.ts";
import { createSizes, lanes, replicaConstants } from "./tensors_gpu.ts";

/** @param where How a config sets the number of outputs: "model.outputs is 3". */
export function lossCriterion(config: CompleteLossConfig, width: number, where: string): Criterion {
  const { type } = config;
  return {
    name: type,
    hasAccuracy: lossEntries[type].hasAccuracy,
    hasError: false,
    checkFit: (data) => checkAnswers(config, width, where, data),
    checkAnswers(data) {
      if (data.targets) targetsOf(config, width, data);
    },
    judge: (data) => judgeOf(config, width, data),
    async compile(optimizer, data, capacity) {
      const { device, replicas, control } = optimizer;
      const { name, labels, weights } = data;
      const answers =
        type === "softmaxCrossEntropy" && labels ? Uint32Array.from(labels) : targetsOf(config, width, data);
      const kernel = await compileKernel(
        device,
        lossSources[type],
        ["read", "read", "read", "write", "write", "read", "uniform"],
        replicaConstants(optimizer),
      );
      return (create) => {
        const answersBuffer = create(`${name} answers`, answers.byteLength, bytesOf(answers));
        // A placeholder: without weights none are read.
        const weighing = weights ? create(`${name} weights`, weights.byteLength, bytesOf(weights)) : answersBuffer;
        const whole = [width, capacity, Number(weights !== undefined), optimizer.controlIndex("lossScale")];
        const sizes = createSizes(create, whole, [optionOf(config)]);
        return ({ batch, outputs, outcomes }) => ({
          pipeline: kernel.pipeline,
          bindGroup: kernel.bind([batch, answersBuffer, weighing, outputs, outcomes, control, sizes]),
          workgroups: [...grid(device, Math.ceil(capacity / lanes)), replicas],
        });
      };
    },
  };
}
