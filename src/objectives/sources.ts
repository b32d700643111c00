// The kernels of the objectives, assembled from shaders/objectives; ../products/sources.ts has the matrix products.
import custom from "../../shaders/objectives/custom.wgsl?raw";
import customBatch from "../../shaders/objectives/custom_batch.wgsl?raw";
import customGradient from "../../shaders/objectives/custom_gradient.wgsl?raw";
import customJoin from "../../shaders/objectives/custom_join.wgsl?raw";
import customLoss from "../../shaders/objectives/custom_loss.wgsl?raw";
import customProbe from "../../shaders/objectives/custom_probe.wgsl?raw";
import gather from "../../shaders/objectives/gather.wgsl?raw";
import linear from "../../shaders/objectives/linear.wgsl?raw";
import loss from "../../shaders/objectives/loss.wgsl?raw";
import outcome from "../../shaders/objectives/outcome.wgsl?raw";
import penalty from "../../shaders/objectives/penalty.wgsl?raw";
import perturb from "../../shaders/objectives/perturb.wgsl?raw";
import replicas from "../../shaders/objectives/replicas.wgsl?raw";
import total from "../../shaders/objectives/total.wgsl?raw";
import { assemble, type Source, type SourcePart } from "../base/assemble.ts";
import { batchPart } from "../engines/products/sources.ts";
import { type LossName, lossEntries } from "./loss.ts";

const part = (file: string, text: string) => ({ name: `shaders/objectives/${file}.wgsl`, text });
const replicasPart = part("replicas", replicas);
const outcomePart = part("outcome", outcome);

const linearPart = part("linear", linear);
const lossParts = [batchPart, linearPart, outcomePart, replicasPart, part("loss", loss)];

export const gatherSource = assemble("gather", [batchPart, linearPart, part("gather", gather)]);
/** The kernel of each loss. */
export const lossSources = Object.fromEntries(
  Object.entries(lossEntries).map(([name, { wgsl }]) => [
    name,
    assemble(name, [...lossParts, ...Object.entries(wgsl).map(([file, text]) => part(`losses/${file}`, text))]),
  ]),
) as Readonly<Record<LossName, Source>>;
export const totalSource = assemble("total", [batchPart, outcomePart, replicasPart, part("total", total)]);
export const penaltySource = assemble("penalty", [linearPart, outcomePart, replicasPart, part("penalty", penalty)]);
export const perturbSource = assemble("perturb", [linearPart, part("perturb", perturb)]);

/** The generated and the author's snippets of a custom objective. */
export interface CustomSnippets {
  readonly counts: SourcePart;
  readonly places: SourcePart;
  readonly fragment: SourcePart;
}

/** The kernels of a custom objective. The fragment comes last: so an error about a duplicate name points at its author's line. */
export function customSources(title: string, { counts, places, fragment }: CustomSnippets) {
  const bound = [counts, places, batchPart, linearPart, outcomePart, replicasPart, part("custom", custom)];
  const driven = (name: string, file: string, text: string): Source =>
    assemble(name, [...bound, part("custom_batch", customBatch), part(file, text), fragment]);
  return {
    loss: driven(title, "custom_loss", customLoss),
    gradient: driven(title, "custom_gradient", customGradient),
    join: assemble(`${title}, slices`, [counts, places, batchPart, replicasPart, part("custom_join", customJoin)]),
  };
}

/** The kernel that takes a custom objective apart to verify it. */
export function customProbeSource(
  title: string,
  { counts, fragment }: Pick<CustomSnippets, "counts" | "fragment">,
): Source {
  return assemble(title, [counts, linearPart, part("custom", custom), part("custom_probe", customProbe), fragment]);
}
