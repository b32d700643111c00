// `fallline replay`: the engine compared with trajectories recorded elsewhere.
import { Command } from "commander";
import { type ReplayResult, readReplay, replayCase } from "../../lab/replay.ts";
import { engineLine } from "../../train/engine.ts";
import { type Backend, backendOption, openEngine } from "./engine.ts";
import { conclude, readFiles } from "./recorded.ts";

interface ReplayOptions {
  readonly backend: Backend;
  readonly json?: boolean;
}

export function replayCommand(): Command {
  return new Command("replay")
    .description(
      "replay recorded gradients (fallline-replay/1 files) and compare the parameters with the recorded ones",
    )
    .argument("<file...>", "files to replay")
    .addOption(backendOption("webgpu"))
    .option("--json", "print only the results, as JSON")
    .addHelpText("after", "\nExit status: 0 all cases pass, 1 a case fails, 2 a file is malformed.")
    .action(replay);
}

async function replay(paths: string[], options: ReplayOptions): Promise<void> {
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
