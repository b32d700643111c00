// The command line as a function: each command is in its own file; this one lists them and reports errors.
import { Command, CommanderError } from "commander";
import { version } from "../../../package.json";
import { FalllineError, OptionError } from "../../base/errors.ts";
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
import { spelt, usageError } from "./usage.ts";

/** The command line with every command. */
export function fallline(): Command {
  return new Command("fallline")
    .description("An optimizer engine on WebGPU, checked against a CPU reference, PyTorch and Optax")
    .version(version)
    .addHelpText("after", "\nExit status: 0 success, 1 a run failed, 2 the command line or a run config is invalid.")
    .addCommand(trainCommand())
    .addCommand(predictCommand())
    .addCommand(sweepCommand())
    .addCommand(searchCommand())
    .addCommand(findLrCommand())
    .addCommand(diffCommand())
    .addCommand(scheduleCommand())
    .addCommand(replayCommand())
    .addCommand(gradientsCommand())
    .addCommand(curvatureCommand())
    .addCommand(tuneCommand())
    .addCommand(labCommand());
}

/** Runs a command and sets `process.exitCode` to its status; undefined on success. */
export function runProgram(args: readonly string[]): Promise<void> {
  return runCommand(fallline(), args);
}

/** The same for any command. */
async function runCommand(program: Command, args: readonly string[]): Promise<void> {
  prepare(program);
  try {
    await program.parseAsync(spelt(args, program), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode && 2;
    else if (error instanceof FalllineError) {
      console.error(`fallline: ${error.message}`);
      process.exitCode = process.exitCode || (error instanceof OptionError ? 2 : 1);
    } else throw error;
  }
}

/** Makes this program report errors of usage and end normally; by default commander ends the process at once. */
function prepare(command: Command): void {
  command
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride((error) => {
      if (error.exitCode !== 0 && error.code !== "commander.help") {
        console.error(`fallline: ${usageError(error, command)}`);
      }
      throw error;
    });
  for (const each of command.commands) prepare(each);
}
