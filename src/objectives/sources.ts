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
import replicas from "../../shaders/objectives/replicas.wgsl?raw";
import total from "../../shaders/objectives/total.wgsl?raw";
import { assemble, type Snippet, type Source } from "../base/assemble.ts";
import { batchSnippet } from "../engines/products/sources.ts";
import { file, joinSnippet, plainSumSnippet, totalSnippet, workgroupSnippet } from "../engines/stages/snippets.ts";
import { type LossName, lossEntries } from "./loss.ts";

const snippet = (name: string, text: string) => file(`objectives/${name}`, text);
export const replicasSnippet = snippet("replicas", replicas);
export const outcomeSnippet = snippet("outcome", outcome);

export const linearSnippet = snippet("linear", linear);
const lossSnippets = [batchSnippet, linearSnippet, outcomeSnippet, replicasSnippet, snippet("loss", loss)];

export const gatherSource = assemble("gather", [batchSnippet, linearSnippet, snippet("gather", gather)]);
/** The kernel of each loss. */
export const lossSources = Object.fromEntries(
  Object.entries(lossEntries).map(([name, { wgsl }]) => [
    name,
    assemble(name, [...lossSnippets, ...Object.entries(wgsl).map(([part, text]) => snippet(`losses/${part}`, text))]),
  ]),
) as Readonly<Record<LossName, Source>>;
export const totalSource = assemble("total", [
  batchSnippet,
  outcomeSnippet,
  replicasSnippet,
  workgroupSnippet,
  joinSnippet,
  totalSnippet,
  snippet("total", total),
]);
export const penaltySource = assemble("penalty", [
  linearSnippet,
  outcomeSnippet,
  replicasSnippet,
  snippet("penalty", penalty),
]);

/** The generated and the author's snippets of a custom objective. */
export interface CustomSnippets {
  readonly counts: Snippet;
  readonly places: Snippet;
  readonly fragment: Snippet;
}

/** The kernels of a custom objective. The fragment comes last, so an error about a duplicate name points at its author's line. */
export function customSources(title: string, { counts, places, fragment }: CustomSnippets) {
  const bound = [
    counts,
    places,
    batchSnippet,
    linearSnippet,
    outcomeSnippet,
    replicasSnippet,
    snippet("custom", custom),
  ];
  const driven = (name: string, driver: string, text: string): Source =>
    assemble(name, [...bound, snippet("custom_batch", customBatch), snippet(driver, text), fragment]);
  return {
    loss: driven(title, "custom_loss", customLoss),
    gradient: driven(title, "custom_gradient", customGradient),
    join: assemble(`${title}, slices`, [
      counts,
      places,
      batchSnippet,
      replicasSnippet,
      workgroupSnippet,
      plainSumSnippet,
      joinSnippet,
      snippet("custom_join", customJoin),
    ]),
  };
}

/** The kernel that evaluates a custom objective's functions one by one, to verify it. */
export function customProbeSource(
  title: string,
  { counts, fragment }: Pick<CustomSnippets, "counts" | "fragment">,
): Source {
  return assemble(title, [
    counts,
    linearSnippet,
    snippet("custom", custom),
    snippet("custom_probe", customProbe),
    fragment,
  ]);
}
