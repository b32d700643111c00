#!/usr/bin/env node
// The command line's process: streams that may end before it does, and an end that is not kept waiting by Dawn.
import { runProgram } from "./program.ts";
import { flushStreams, watchStreams } from "./streams.ts";

watchStreams();
await runProgram(process.argv.slice(2));
await flushStreams();
// Dawn keeps the event loop alive as long as its device lives.
process.exit();
