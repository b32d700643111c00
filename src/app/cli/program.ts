// The command line as a function: each command lies in its own file; this one names them and says what went wrong.
import { Command, CommanderError } from "commander";
import { version } from "../../../package.json";
import { FalllineError } from "../../base/errors.ts";
import { curvatureCommand } from "./curvature.ts";
import { diffCommand } from "./diff.ts";
import { findLrCommand } from "./find_lr.ts";
import { gradientsCommand } from "./gradients.ts";
import { labCommand } from "./lab.ts";
import { predictCommand } from "./predict.ts";
import { replayCommand } from "./replay.ts";
import { scheduleCommand } from "./schedule.ts";
import { searchCommand } from "./search.ts";
import { sweepCommand } from "./sweep.ts";
import { trainCommand } from "./train.ts";
import { tuneCommand } from "./tune.ts";

/** Runs a command, whose status goes to `process.exitCode`; undefined where all went well. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const program = new Command("fallline")
    .description("An optimizer engine on WebGPU, held against a CPU reference, PyTorch and Optax")
    .version(version)
    .addCommand(trainCommand())
    .addCommand(sweepCommand())
    .addCommand(searchCommand())
    .addCommand(findLrCommand())
    .addCommand(diffCommand())
    .addCommand(scheduleCommand())
    .addCommand(replayCommand())
    .addCommand(gradientsCommand())
    .addCommand(curvatureCommand())
    .addCommand(tuneCommand());
  // By itself commander ends the process, before what it says has been written.
  for (const command of [program, ...program.commands]) command.exitOverride();
  // These have a status of their own for what they cannot read.
  program.addCommand(labCommand()).addCommand(predictCommand());
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else if (error instanceof FalllineError) {
      console.error(`fallline: ${error.message}`);
      process.exitCode = process.exitCode || 1;
    } else throw error;
  }
}
