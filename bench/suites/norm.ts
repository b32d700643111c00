// Suite "norm": the global norm of gradients that are ready on the device, the extra cost of clipping.
import { norm as copy } from "../engines/copy.ts";
import { norm as fallline } from "../engines/fallline.ts";
import { norm as naive } from "../engines/naive.ts";
import { norm as plain } from "../engines/plain.ts";
import type { Case, Contender, Runner } from "../suite.ts";
import { normOf, type UpdateWork, updateWork } from "../update.ts";
import { normSizes } from "./update.ts";

// Each peer is imported for its turn, so that one that does not load spoils only its row.
const engines: Readonly<Record<string, (work: UpdateWork) => Promise<Runner>>> = {
  fallline,
  naive,
  tfjs: async (work) => (await import("../engines/tfjs.ts")).norm(work),
  jaxjs: async (work) => (await import("../engines/jaxjs.ts")).norm(work),
  plain,
  copy,
};

export const normCases: readonly Case[] = normSizes.map(({ size: { name, shapes }, tier }) => {
  // The gradients do not depend on the rule.
  const work = updateWork("sgd", false, shapes);
  return {
    ...{ suite: "norm", name: `norm ${name}`, tier, n: work.n, tensors: work.tensors.length, number: "norm" },
    expected: async () => ({ numbers: [normOf(work)], values: [] }),
    contenders: Object.entries(engines).map(([engine, load]): Contender => ({ engine, load: () => load(work) })),
    ours: "fallline",
  };
});
