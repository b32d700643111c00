// Physics-informed networks on the CPU reference.
import { cpuEngine } from "../../src/train/engine.ts";
import { pinnLaws } from "../pinns.ts";

pinnLaws(cpuEngine());
