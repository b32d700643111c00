// Suite "launch": a step's own time apart from the overhead of submission. A turn's steps are submitted one by one, in turns of
// many and of few; as one call; and timed by the device's own timestamps.
import type { Case, Tier } from "../suite.ts";
import { updateWork } from "../update.ts";
import { trainLaunch } from "./gradient.ts";
import { type Engine, updateCase } from "./update.ts";

const engines: readonly Engine[] = ["fallline", "naive", "tfjs", "jaxjs", "stream"];

const updates: readonly {
  readonly name: string;
  readonly count: number;
  readonly length: number;
  readonly tier: Tier;
}[] = [
  { name: "adamw 1x1k", count: 1, length: 1024, tier: "full" },
  { name: "adamw 1x64k", count: 1, length: 65_536, tier: "quick" },
  { name: "adamw 64x1k", count: 64, length: 1024, tier: "full" },
];

export const launchCases: readonly Case[] = [
  ...updates.map(({ name, count, length, tier }) => {
    const shapes = Array.from({ length: count }, () => [length]);
    return updateCase("launch", name, tier, updateWork("adamw", false, shapes), engines, { launch: true });
  }),
  trainLaunch,
];
