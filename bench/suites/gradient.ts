// Suite "gradient": whole training steps of networks, AdamW included, next to the peers'. A new network is a line in `networks`.
import { train as fallline } from "../engines/fallline.ts";
import { train as plain } from "../engines/plain.ts";
import { train as reference } from "../engines/reference.ts";
import { createWork, flopsOf, startOf, type Work } from "../network.ts";
import { type Answer, type Case, type Contender, once, type Runner, type Tier } from "../suite.ts";

interface Network {
  readonly widths: readonly number[];
  readonly batch: number;
  readonly tier: Tier;
  /** Default: all engines of the page. */
  readonly engines?: readonly Engine[];
}

const main = { widths: [784, 1024, 256, 10], batch: 128, tier: "full" } as const;
/** So small that the host dominates. */
const small = { widths: [64, 32, 10], batch: 16, tier: "quick" } as const;

/** In large batches, products dominate a step; on an emulated GPU, one of tfjs would take half a minute. */
const networks: readonly Network[] = [main, small, { ...main, batch: 1024, engines: ["fallline", "jaxjs"] }];

// Each peer is imported for its turn, so that one that does not load spoils only its row.
const engines = {
  reference,
  plain,
  fallline,
  tfjs: async (work) => (await import("../engines/tfjs.ts")).train(work),
  jaxjs: async (work) => (await import("../engines/jaxjs.ts")).train(work),
} satisfies Record<string, (work: Work) => Promise<Runner>>;

type Engine = keyof typeof engines;

/** One full training step in each of the engines, whose answers are compared with our CPU reference. */
function trainCase(
  suite: string,
  { widths, batch, tier }: Network,
  names: readonly Engine[],
  more: Pick<Case, "ours" | "launch">,
): Case {
  const work = once(() => createWork(widths, batch));
  const shape = widths.slice(1).map((outputs, i) => [widths[i]!, outputs] as const);
  return {
    suite,
    name: `train ${widths.join("-")} b${batch}`,
    tier,
    n: shape.reduce((sum, [inputs, outputs]) => sum + inputs * outputs + outputs, 0),
    tensors: 2 * shape.length,
    flops: flopsOf({ batch, layers: shape.map(([inputs, outputs]) => ({ inputs, outputs })) }),
    expected: () => answerOfReference(work()),
    start: () => startOf(work()),
    contenders: names.map((engine): Contender => ({ engine, load: () => engines[engine](work()) })),
    ...more,
  };
}

async function answerOfReference(work: Work): Promise<Answer> {
  const runner = await reference(work);
  try {
    return await runner.answer();
  } finally {
    runner.destroy();
  }
}

/** Cases that run in the page. */
export const gradientCases: readonly Case[] = networks.map((network) =>
  trainCase("gradient", network, network.engines ?? ["fallline", "tfjs", "jaxjs", "plain", "reference"], {
    ours: "fallline",
  }),
);

/** Cases that run in Node, without a GPU: the reference next to plain loops. */
export const cpuCases: readonly Case[] = [trainCase("cpu", main, ["reference", "plain"], { ours: "reference" })];

/** A small training step of suite "launch". */
export const trainLaunch: Case = trainCase("launch", { ...small, tier: "full" }, ["fallline", "tfjs", "jaxjs"], {
  ...{ ours: "fallline", launch: true },
});
