// Predictions on the CPU.
import { cpuEngine } from "../../src/train/engine.ts";
import { predictionLaws } from "../predictions.ts";

predictionLaws(async () => cpuEngine());
