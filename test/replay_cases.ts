// Which golden cases must pass: every one of a registered rule whose clipping is a known one. What is left out is listed
// here, so that a case can never drop out unseen.

import type { ReplayFile } from "../src/lab/replay.ts";
import { rules } from "../src/rules/index.ts";

/** Cases of registered rules that wait for a kind of clipping that does not exist yet. */
const waiting = ["clip-max-norm", "clip-value", "clip-adaptive"];

export function promisedCases(file: ReplayFile): ReplayFile["cases"] {
  const known = rules.map(({ name }) => name);
  const promised = file.cases.filter(
    ({ id, optimizer }) => known.includes((optimizer as { rule: string }).rule) && !waiting.includes(id),
  );
  if (promised.length < 15) throw new Error(`only ${promised.length} golden cases are left; 15 were promised`);
  return promised;
}
