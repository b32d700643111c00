// The kernels of the objectives, assembled from shaders/objectives; product_sources.ts has the matrix products.
import batch from "../../shaders/objectives/batch.wgsl?raw";
import gather from "../../shaders/objectives/gather.wgsl?raw";
import linear from "../../shaders/objectives/linear.wgsl?raw";
import loss from "../../shaders/objectives/loss.wgsl?raw";
import lossElementwise from "../../shaders/objectives/loss_elementwise.wgsl?raw";
import lossSoftmaxCrossEntropy from "../../shaders/objectives/loss_softmax_cross_entropy.wgsl?raw";
import outcome from "../../shaders/objectives/outcome.wgsl?raw";
import own from "../../shaders/objectives/own.wgsl?raw";
import ownBatch from "../../shaders/objectives/own_batch.wgsl?raw";
import ownGradient from "../../shaders/objectives/own_gradient.wgsl?raw";
import ownJoin from "../../shaders/objectives/own_join.wgsl?raw";
import ownLoss from "../../shaders/objectives/own_loss.wgsl?raw";
import ownProbe from "../../shaders/objectives/own_probe.wgsl?raw";
import penalty from "../../shaders/objectives/penalty.wgsl?raw";
import perturb from "../../shaders/objectives/perturb.wgsl?raw";
import replicas from "../../shaders/objectives/replicas.wgsl?raw";
import total from "../../shaders/objectives/total.wgsl?raw";
import { assemble, type Source, type SourcePart } from "../assemble.ts";

const part = (file: string, text: string) => ({ name: `shaders/objectives/${file}.wgsl`, text });
const replicasPart = part("replicas", replicas);
export const batchPart = part("batch", batch);
const outcomePart = part("outcome", outcome);

const linearPart = part("linear", linear);
const lossParts = [batchPart, linearPart, outcomePart, replicasPart, part("loss", loss)];

export const gatherSource = assemble("gather", [batchPart, linearPart, part("gather", gather)]);
export const softmaxCrossEntropySource = assemble("softmax cross-entropy", [
  ...lossParts,
  part("loss_softmax_cross_entropy", lossSoftmaxCrossEntropy),
]);
export const elementwiseLossSource = assemble("elementwise loss", [
  ...lossParts,
  part("loss_elementwise", lossElementwise),
]);
export const totalSource = assemble("total", [batchPart, outcomePart, replicasPart, part("total", total)]);
export const penaltySource = assemble("penalty", [linearPart, outcomePart, replicasPart, part("penalty", penalty)]);
export const perturbSource = assemble("perturb", [linearPart, part("perturb", perturb)]);

/** The generated and the author's part of an objective of one's own. */
export interface OwnParts {
  readonly counts: SourcePart;
  readonly places: SourcePart;
  readonly fragment: SourcePart;
}

/** The kernels of an objective of one's own. The fragment comes last: of a name given twice, its author's line is told. */
export function ownSources(title: string, { counts, places, fragment }: OwnParts) {
  const bound = [counts, places, batchPart, linearPart, outcomePart, replicasPart, part("own", own)];
  const driven = (name: string, file: string, text: string): Source =>
    assemble(name, [...bound, part("own_batch", ownBatch), part(file, text), fragment]);
  return {
    loss: driven(title, "own_loss", ownLoss),
    gradient: driven(title, "own_gradient", ownGradient),
    join: assemble(`${title}, slices`, [counts, places, batchPart, replicasPart, part("own_join", ownJoin)]),
  };
}

/** The kernel that takes an objective of one's own apart to verify it. */
export function ownProbeSource(title: string, { counts, fragment }: Pick<OwnParts, "counts" | "fragment">): Source {
  return assemble(title, [counts, linearPart, part("own", own), part("own_probe", ownProbe), fragment]);
}
