#!/usr/bin/env node
// The command line. Each command lies in its own file; this one names them and says what went wrong.
import { Command } from "commander";
import { version } from "../../package.json";
import { FalllineError } from "../errors.ts";
import { diffCommand } from "./diff.ts";
import { findLrCommand } from "./find_lr.ts";
import { gradientsCommand } from "./gradients.ts";
import { replayCommand } from "./replay.ts";
import { scheduleCommand } from "./schedule.ts";
import { searchCommand } from "./search.ts";
import { sweepCommand } from "./sweep.ts";
import { trainCommand } from "./train.ts";
import { tuneCommand } from "./tune.ts";

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
  .addCommand(tuneCommand());

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof FalllineError)) throw error;
  console.error(`fallline: ${error.message}`);
  process.exitCode = process.exitCode || 1;
}
// Dawn keeps the event loop alive as long as its device lives.
process.exit();
