// The registry of cases: every suite's, and the selection for a run. A suite is a file in suites/ and a line here.
import { OptionError, show } from "../src/base/errors.ts";
import type { Case, Tier } from "./suite.ts";
import { cascadeCases } from "./suites/cascade.ts";
import { curvatureCases } from "./suites/curvature.ts";
import { cpuCases, gradientCases } from "./suites/gradient.ts";
import { hostCases } from "./suites/host.ts";
import { launchCases } from "./suites/launch.ts";
import { lbfgsCases } from "./suites/lbfgs.ts";
import { normCases } from "./suites/norm.ts";
import { productCases } from "./suites/product.ts";
import { type SizeCase, sizeCases } from "./suites/size.ts";
import { startCases } from "./suites/start.ts";
import { sweepCases } from "./suites/sweep.ts";
import { updateCases } from "./suites/update.ts";

/** Cases that run in the page. The start comes first, while nothing is warm. */
export const pageCases: readonly Case[] = [
  ...startCases,
  ...updateCases,
  ...launchCases,
  ...normCases,
  ...productCases,
  ...gradientCases,
  ...sweepCases,
  ...curvatureCases,
  ...lbfgsCases,
  ...cascadeCases,
  ...hostCases,
];

/** Cases that run in Node, without a GPU. */
export const nodeCases: readonly Case[] = [...cpuCases];

/** All cases that a run can select; the files of suite "size" are weighed in Node. */
const allCases: readonly (Case | SizeCase)[] = [...pageCases, ...nodeCases, ...sizeCases];

/** The selection of cases for a run. */
export interface Selection {
  /** Only the cases whose suite and name ("gradient: train …") contain this text; default all. */
  readonly filter?: string | undefined;
  /** Only those of the tier `quick`; default false. */
  readonly quick?: boolean | undefined;
  /** Also those of the tier `every`, which may take hours; default false. */
  readonly every?: boolean | undefined;
  /** Exactly these, by {@link titleOf}; default those selected by the other options. */
  readonly titles?: readonly string[] | undefined;
}

/** The name by which a filter finds a case. */
export const titleOf = ({ suite, name }: Pick<Case, "suite" | "name">) => `${suite}: ${name}`;

/** The same cases without some engines. */
export function withoutEngines(cases: readonly Case[], engines: readonly string[]): readonly Case[] {
  return cases.map((each) => ({
    ...each,
    contenders: each.contenders.filter(({ engine }) => !engines.includes(engine)),
  }));
}

/** From those of every run to those on request. */
const tiers: readonly Tier[] = ["quick", "full", "every"];

/** A filter without a match in the run's tiers is tried on the next ones: a case called by its name always runs. */
export function chosen({ filter = "", quick = false, every = false, titles }: Selection): Chosen {
  const named = allCases.filter((each) => titleOf(each).includes(filter));
  const first = every ? 2 : quick ? 0 : 1;
  const found = tiers
    .map((_, last) => named.filter(({ tier }) => tiers.indexOf(tier) <= last))
    .find((cases, last) => last >= first && cases.length > 0);
  const cases = titles ? allCases.filter((each) => titles.includes(titleOf(each))) : (found ?? []);
  return {
    page: pageCases.filter((each) => cases.includes(each)),
    node: nodeCases.filter((each) => cases.includes(each)),
    size: sizeCases.filter((each) => cases.includes(each)),
  };
}

/** By where they run. */
export interface Chosen {
  readonly page: readonly Case[];
  readonly node: readonly Case[];
  readonly size: readonly SizeCase[];
}

/** @throws OptionError for a filter that matches no case at all. */
export function checkFilter(filter: string): void {
  if (allCases.some((each) => titleOf(each).includes(filter))) return;
  const suites = [...new Set(allCases.map(({ suite }) => suite))];
  throw new OptionError(
    `filter is ${show(filter)}; it must be part of a case's suite and name, such as "${titleOf(allCases[0]!)}"; suites are ${suites.join(", ")}`,
  );
}
