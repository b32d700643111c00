#!/usr/bin/env node
// The process of the command line: its streams may end before it does, and Dawn does not delay its exit.
import { runProgram } from "./program.ts";
import { flushStreams, watchStreams } from "./streams.ts";

watchStreams();
await runProgram(process.argv.slice(2));
await flushStreams();
// Dawn keeps the event loop alive as long as its device lives.
process.exit();
