// `fallline replay`: the engine compared with trajectories recorded elsewhere.
import type { Command } from "commander";
import { type ReplayResult, readReplay, replayCase } from "../../lab/replay.ts";
import { engineLine } from "../../train/engine.ts";
import { openEngine } from "./engine.ts";
import { conclude, type RecordedOptions, readFiles, recordedCommand } from "./recorded.ts";

export function replayCommand(): Command {
  return recordedCommand(
    "replay",
    "replay recorded gradients (fallline-replay/1 files) and compare the parameters with the recorded ones",
  ).action(replay);
}

async function replay(paths: string[], options: RecordedOptions): Promise<void> {
  const files = await readFiles(paths, readReplay, (file) => file);
  const engine = await openEngine(options.backend);
  const results: ReplayResult[] = [];
  if (!options.json) {
    console.log(engineLine(engine));
    console.log(`${"case".padEnd(32)}${"max abs".padStart(11)}${"max rel".padStart(11)}${"ratio".padStart(9)}`);
  }
  for (const file of files) {
    for (const entry of file.cases) {
      const result = await replayCase(file, entry, engine.optimizer);
      results.push(result);
      if (!options.json) console.log(row(result));
    }
  }
  conclude(engine, results, options.json);
  if (!options.json) console.log("ratio: max abs over the source's own error in float32");
}

function row({ id, maxAbs, maxRel, ratio, ok, error }: ReplayResult): string {
  if (error) return `${id.padEnd(32)} FAIL  ${error}`;
  const number = (value: number | null) => (value === null ? "-" : value.toExponential(2)).padStart(11);
  const multiple = (ratio === null ? "-" : ratio.toFixed(2)).padStart(9);
  return `${id.padEnd(32)}${number(maxAbs)}${number(maxRel)}${multiple}  ${ok ? "pass" : "FAIL"}`;
}
