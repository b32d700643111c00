// The training loop's laws on the CPU reference.
import { cpuEngine } from "../../src/train/engine.ts";
import { trainingLaws } from "../training.ts";

trainingLaws(async () => ({ engine: cpuEngine() }));
