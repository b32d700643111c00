// The requirements of an optimizer on the device and on external buffers.

import { OptionError } from "../../base/errors.ts";
import { arenaLength, paddedLength, pagesOf, type Segment } from "../../optimizer/arena.ts";
import { modifierScalars, type RuleSetLayout } from "../../optimizer/layout.ts";
import type { Plan } from "../../optimizer/plan.ts";
import { watched, wordsOf } from "./allocate.ts";
import { boundBytes } from "./chunks.ts";
import { requireBuffer, requireLimit } from "./device.ts";
import { tableBytes } from "./row_ring.ts";

/** Refuses what external buffers cannot do. */
export function checkExternal({ replicas }: Plan, segments: readonly Segment[]): void {
  refuseOverlaps(segments);
  for (const { name, external } of segments) {
    if (!external) continue;
    if (replicas > 1) {
      throw new OptionError(`tensor "${name}" is in an external buffer; with replicas, tensors must be in the arenas`);
    }
    if (external.params.buffer === external.gradients.buffer) {
      throw new OptionError(
        `the params and gradients of tensor "${name}" are in one buffer, which WebGPU cannot read and write in one dispatch`,
      );
    }
    for (const role of ["params", "gradients"] as const) {
      if ((external[role].buffer.usage & GPUBufferUsage.STORAGE) === 0) {
        throw new OptionError(`the ${role} of tensor "${name}" are in a buffer whose usage lacks STORAGE`);
      }
    }
  }
}

/** After a refusal: which of the caller's buffers the device cannot bind, if any. */
export async function refusedBuffer(device: GPUDevice, segments: readonly Segment[]): Promise<OptionError | undefined> {
  const layout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" } }],
  });
  for (const { name, external } of segments) {
    if (!external) continue;
    for (const role of ["params", "gradients"] as const) {
      const entries = [{ binding: 0, resource: { buffer: external[role].buffer } }];
      const { thrown, trouble } = watched(device, () => device.createBindGroup({ layout, entries }));
      const cause = thrown?.error ?? (await trouble).refusal;
      if (!cause) continue;
      return new OptionError(
        `the ${role} of tensor "${name}" are in an invalid buffer or another device's: ${wordsOf(cause, "it gave no reason")}`,
        { cause },
      );
    }
  }
  return undefined;
}

/** Two tensors in the same place would be updated by two workgroups at once. */
function refuseOverlaps(segments: readonly Segment[]): void {
  const ends = new Map<GPUBuffer, { readonly name: string; readonly from: number; readonly to: number }[]>();
  for (const { name, external, length } of segments) {
    if (!external) continue;
    const { buffer, offset = 0 } = external.params;
    const ranges = ends.get(buffer) ?? [];
    ends.set(buffer, ranges);
    ranges.push({ name, from: offset, to: offset + 4 * length });
  }
  for (const ranges of ends.values()) {
    ranges.sort((a, b) => a.from - b.from);
    ranges.forEach(({ name, from }, i) => {
      const before = ranges[i - 1];
      if (before && before.to > from) {
        throw new OptionError(
          `the params of tensors "${before.name}" and "${name}" overlap at byte ${from} of their buffer`,
        );
      }
    });
  }
}

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
  for (const segment of segments) {
    for (const role of ["params", "gradients"] as const) {
      const bytes = boundBytes(segment, role);
      requireLimit(device, "maxStorageBufferBindingSize", bytes, `the ${role} of tensor "${segment.name}"`);
    }
  }
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
    if (rule.orthogonalises) {
      for (const { segment } of layouts[index]!.places) {
        const bytes = Math.min(...segment.shape) ** 2 * plan.replicas * 4;
        requireBuffer(device, bytes, `the Gram matrix of "${segment.name}"`);
      }
    }
  });
  requireBuffer(device, tableBytes(plan), `the table of ${plan.groups.length} groups`);
}
