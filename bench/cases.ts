// The registry of cases. A new one is a line in `networks`, or an entry of its own with its contenders. Peers are imported
// when their turn comes, so that one that does not load spoils nothing but its row.
import { OptionError, show } from "../src/errors.ts";
import { load as fallline } from "./engines/fallline.ts";
import { load as plain } from "./engines/plain.ts";
import { load as reference } from "./engines/reference.ts";
import { createWork, flopsOf, startOf, type Work } from "./network.ts";
import type { Case, Contender, Runner } from "./suite.ts";

/** Widths and batch of the networks that are trained: the main one, and one so small that the host is what counts. */
const networks = [
  { widths: [784, 1024, 256, 10], batch: 128 },
  { widths: [64, 32, 10], batch: 16 },
] as const;

type Load = (work: Work) => Promise<Runner>;
const engines = {
  reference,
  plain,
  fallline,
  tfjs: async (work) => (await import("./engines/tfjs.ts")).load(work),
  jaxjs: async (work) => (await import("./engines/jaxjs.ts")).load(work),
} satisfies Record<string, Load>;

/** One full training step, AdamW included. */
function trainCase(
  suite: string,
  { widths, batch }: { readonly widths: readonly number[]; readonly batch: number },
  names: readonly (keyof typeof engines)[],
  ours: keyof typeof engines,
): Case {
  let made: Work | undefined;
  const work = () => {
    made ??= createWork(widths, batch);
    return made;
  };
  const shape = widths.slice(1).map((outputs, i) => [widths[i]!, outputs] as const);
  return {
    suite,
    name: `train ${widths.join("-")} b${batch}`,
    n: shape.reduce((sum, [inputs, outputs]) => sum + inputs * outputs + outputs, 0),
    tensors: 2 * shape.length,
    flops: flopsOf({ batch, layers: shape.map(([inputs, outputs]) => ({ inputs, outputs })) }),
    start: () => startOf(work()),
    contenders: names.map((engine): Contender => ({ engine, load: () => engines[engine](work()) })),
    ours,
  };
}

/** What runs in the page. */
export const pageCases: readonly Case[] = networks.map((network) =>
  trainCase("gradient", network, ["reference", "plain", "fallline", "tfjs", "jaxjs"], "fallline"),
);

/** What runs in Node, without a GPU. */
export const nodeCases: readonly Case[] = [trainCase("cpu", networks[0], ["reference", "plain"], "reference")];

/** The name by which a filter finds a case. */
const titleOf = ({ suite, name }: Case) => `${suite}: ${name}`;

/** The cases whose suite and name ("gradient: train …") hold the filter's words as they stand there. */
export function chosen(cases: readonly Case[], filter: string): readonly Case[] {
  return cases.filter((each) => titleOf(each).includes(filter));
}

/** @throws OptionError for a filter that no case of either place has in its name. */
export function checkFilter(filter: string): void {
  const all = [...pageCases, ...nodeCases];
  if (chosen(all, filter).length > 0) return;
  throw new OptionError(`filter is ${show(filter)}; it must be part of one of: ${all.map(titleOf).join(", ")}`);
}
