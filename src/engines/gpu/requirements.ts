// The requirements of an optimizer on the device.

import { arenaLength, paddedLength, pagesOf, type Segment } from "../../optimizer/arena.ts";
import { modifierScalars, type RuleSetLayout } from "../../optimizer/layout.ts";
import type { Plan } from "../../optimizer/plan.ts";
import { requireBuffer, requireLimit } from "./device.ts";
import { tableBytes } from "./row_ring.ts";

/** @throws DeviceError that names the limit of the device that is too low. */
export function requireDevice(
  device: GPUDevice,
  plan: Plan,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
): void {
  requireLimit(device, "maxComputeWorkgroupsPerDimension", plan.replicas, `${plan.replicas} replicas`);
  const lengthOf = plan.accumulate > 1 ? paddedLength : arenaLength;
  const held = Math.max(...pagesOf(segments).map((page) => lengthOf(segments, page)));
  requireBuffer(device, held * plan.replicas * 4, `an arena of ${held * plan.replicas} parameters`);
  plan.ruleSets.forEach((ruleSet, index) => {
    const { rule, slots } = ruleSet;
    const sums = rule.reduction !== undefined || modifierScalars(plan).length > 0;
    const buffers = sums ? 8 : plan.watch ? 7 : 6;
    requireLimit(device, "maxStorageBuffersPerShaderStage", buffers, `rule "${rule.name}"`);
    const { stateLength } = layouts[index]!;
    const what = slots.length > 0 ? slots.join(", ") : "the scales of its units";
    if (stateLength > 0) {
      requireBuffer(device, stateLength * plan.replicas * 4, `the state of rule "${rule.name}" (${what})`);
    }
  });
  requireBuffer(device, tableBytes(plan), `the table of ${plan.groups.length} groups`);
}
