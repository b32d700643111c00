// Checkpoints: an optimizer's whole state as a safetensors file, from which another one continues to the bit.

import { inMemory, memoryError } from "../base/host_memory.ts";
import { together } from "../base/together.ts";
import type { ScheduleConfig } from "../schedules/schedule.ts";
import { describe, encodeCheckpoint, type Snapshot } from "./checkpoint_file.ts";
import { savedRoles } from "./keys.ts";
import { mustAllow, scalarRange } from "./locations.ts";
import { openCheckpoint } from "./open_checkpoint.ts";
import type { Optimizer } from "./optimizer.ts";
import { fetchRoles, type Inside, insideOf } from "./shell.ts";
import type { Write } from "./store.ts";

/** Options of {@link loadCheckpoint}. */
export interface LoadOptions {
  /**
   * Whose hypers and freezing apply from then on: those at the time of saving ("saved"), or this optimizer's current ones
   * ("config"). Default "saved" if the saved optimizer was created with the same hypers, groups and freezing as this one, else
   * "config", so that a new config is not undone.
   */
  readonly hypers?: "saved" | "config" | undefined;
  /**
   * Kinds of schedule that may have been set before saving, such as `[schedules.cosine]`; the ones in this optimizer's config are
   * known already.
   */
  readonly schedules?: readonly ScheduleConfig["type"][] | undefined;
}

/**
 * An optimizer's whole state (parameters, slots, hypers, step) as a safetensors file, from which {@link loadCheckpoint}
 * continues to the bit.
 *
 * @throws DeviceError like {@link Optimizer.read}, and if the process runs out of memory.
 */
export async function saveCheckpoint(optimizer: Optimizer): Promise<Uint8Array<ArrayBuffer>> {
  const inside = insideOf(optimizer);
  inside.store.mustLive("saveCheckpoint");
  try {
    // As of now: hypers may change while the numbers are read.
    const description = describe(inside);
    return encodeCheckpoint(inside, description, await takeSnapshot(inside));
  } catch (error) {
    throw memoryError("a checkpoint", error);
  }
}

/**
 * Continues from a checkpoint: parameters, slots, steps. An optimizer that was created with the same hypers, groups and freezing
 * continues to the bit, with everything that was set, frozen and thawed before saving; any other keeps its own hypers and
 * freezing ({@link LoadOptions.hypers} chooses). Functions of the step, which a file cannot hold, are restored only from the very
 * array that {@link saveCheckpoint} returned for this optimizer; otherwise they are kept. Clipping, averages (including the decay
 * of `ema`) and loss scaling stay as this optimizer was created. Groups may differ from the saved ones, as long as each tensor
 * keeps its rule and the tensors of a group have made equally many updates. Submit encoded steps before you load.
 *
 * @throws DataError if the file is not a checkpoint of these tensors and this rule; nothing is changed then. DeviceError if the
 * device refuses the write.
 */
export async function loadCheckpoint(
  optimizer: Optimizer,
  bytes: Uint8Array | ArrayBuffer,
  options?: LoadOptions,
): Promise<void> {
  const inside = insideOf(optimizer);
  const { layouts, store, locate } = inside;
  store.mustLive("loadCheckpoint");
  for (const location of locate("params")) mustAllow(location, "COPY_DST", "loadCheckpoint");
  const { clocks, micro, carried, made, roles, scalars } = inMemory("the checkpoint", () =>
    openCheckpoint(inside, bytes, options),
  );
  const writes: Write[] = [];
  for (const [role, replicas] of roles) {
    for (const range of locate(role)) {
      for (const [replica, values] of replicas.entries()) {
        writes.push({ range, replica, values: values[range.segment.name] as Float32Array<ArrayBuffer> });
      }
    }
  }
  for (const [ruleSet, replicas] of scalars.entries()) {
    const range = scalarRange(layouts, ruleSet);
    for (const [replica, values] of replicas.entries()) writes.push({ range, replica, values });
  }
  const pasts = clocks.map((_, replica) => ({
    carried: carried.map((ruleSet) => ruleSet[replica]!),
    made: made.map((ruleSet) => ruleSet[replica]!),
  }));
  await store.restore(clocks, pasts, micro, writes);
}

/** The whole state at one moment. All copies are submitted before any is awaited. */
async function takeSnapshot(inside: Inside): Promise<Snapshot> {
  const { plan, layouts, store } = inside;
  const ranges = layouts.map((_, ruleSet) => scalarRange(layouts, ruleSet));
  // Role by role: all of them together may exceed a buffer.
  const replicas = await together(
    Array.from({ length: plan.replicas }, async (_, replica) => {
      const [{ record, values: scalars, past }, ...each] = await together([
        store.fetch(ranges, replica),
        ...savedRoles(plan).map((role) => fetchRoles(inside, [role], replica)),
      ]);
      const { step, skipped, lossScale, goodSteps, micro } = record;
      return {
        ...past(),
        clock: { step, skipped, lossScale, goodSteps },
        micro,
        scalars,
        roles: new Map(each.flatMap(({ values }) => [...values])),
      };
    }),
  );
  const byRuleSet = <T>(of: (replica: (typeof replicas)[number]) => readonly T[]) =>
    plan.ruleSets.map((_, ruleSet) => replicas.map((replica) => of(replica)[ruleSet]!));
  return {
    clocks: replicas.map(({ clock }) => clock),
    micro: replicas[0]!.micro,
    carried: byRuleSet(({ carried }) => carried),
    made: byRuleSet(({ made }) => made),
    roles: new Map(savedRoles(plan).map((role) => [role, replicas.map(({ roles }) => roles.get(role)!)])),
    scalars: byRuleSet(({ scalars }) => scalars),
  };
}
