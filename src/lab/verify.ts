// `verifyRule`: runs the laws that every rule obeys over a custom rule, under every set of its options.

import { refusal } from "../base/errors.ts";
import { readListener, readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import { readDevice } from "../engines/gpu/device.ts";
import { isRule, type Rule } from "../rules/rule.ts";
import { cpuEngine, webgpuEngine } from "../train/engine.ts";
import { applies, laws, problemOf } from "./laws.ts";
import { optionSets } from "./option_sets.ts";

/** The result of one law under one set of options. */
export interface LawResult {
  /** The law in a sentence. */
  readonly law: string;
  /** The engine on which it was tried. */
  readonly backend: "webgpu" | "cpu";
  /** The rule's options with which it was tried, by name. */
  readonly options: Readonly<Record<string, number | boolean>>;
  /** What is wrong; undefined where the law holds. */
  readonly problem: string | undefined;
}

/**
 * Runs the laws over a rule: the GPU agrees with its twin; groups and replicas do not leak into each other; zeros stay zeros;
 * saving and loading continues to the bit; it converges; a gradient that is not finite changes nothing if it is skipped, and
 * makes the same values NaN on the GPU and in the twin if it is not; state fades to 0 after a gradient stops; steps and changed
 * hypers create and compile nothing, and `destroy` leaves nothing behind. Each with the defaults and with every option away
 * from its default.
 *
 * @param options `device`: without one, only the twin is verified. `onResult` is called with each result.
 * @returns every result; the rule obeys if there is no `problem`.
 * @throws OptionError for anything but a rule, and for defaults out of range.
 */
export async function verifyRule(
  rule: Rule,
  options: { readonly device?: GPUDevice; readonly onResult?: (result: LawResult) => void } = {},
): Promise<readonly LawResult[]> {
  if (!isRule(rule)) {
    throw refusal("rule", rule, "what defineRule returns");
  }
  const { device, onResult } = readFields("verifyRule", options, ["device", "onResult"]);
  readListener("onResult", onResult);
  if (device !== undefined) readDevice(device as GPUDevice);
  checkDefaults(rule);
  const engines = [cpuEngine(), ...(options.device ? [webgpuEngine(options.device)] : [])];
  const results: LawResult[] = [];
  for (const set of optionSets(rule)) {
    for (const law of laws) {
      for (const engine of engines) {
        if (!applies(law, rule, set, engine)) continue;
        const result = { law: law.name, backend: engine.backend, options: set, problem: undefined };
        const problem = await problemOf(law, { rule, options: set, engine, device: options.device });
        results.push({ ...result, problem });
        options.onResult?.({ ...result, problem });
      }
    }
  }
  return results;
}

/** Checks what no law would notice: wrong defaults of hypers. */
function checkDefaults({ name, hypers }: Rule): void {
  for (const [hyper, { default: standard, range }] of Object.entries(hypers)) {
    readNumber(`the default of ${name}.${hyper}`, standard, range);
  }
}
