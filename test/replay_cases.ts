// Which golden cases must pass: all of them. Their number is stated, so that none can drop out unseen.
import type { ReplayFile } from "../src/lab/replay.ts";
import { readReplay } from "../src/lab/replay.ts";
import { goldenText } from "./golden.ts";

/** Every case with the file that it is in. */
export function goldenCases(): readonly { readonly file: ReplayFile; readonly replay: ReplayFile["cases"][number] }[] {
  const cases = ["replay.json", "replay-matrices.json"].flatMap((name) => {
    const file = readReplay(goldenText(name));
    return file.cases.map((replay) => ({ file, replay }));
  });
  if (cases.length !== 47) throw new Error(`there are ${cases.length} golden cases; there were 47`);
  return cases;
}
