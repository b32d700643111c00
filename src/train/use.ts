// Puts a model's parameters to use in place of the trained ones for the duration of an evaluation; afterwards everything is as it
// was, to the bit.

import { allocate } from "../engines/gpu/allocate.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { roleOf } from "../optimizer/evaluation_role.ts";
import type { Optimizer, Role } from "../optimizer/optimizer.ts";
import { insideOf } from "../optimizer/shell.ts";

/** Swaps the parameters to use in, and the trained ones back. */
export interface Use {
  /** The role of a replica's parameters to use. */
  role(replica?: number): Promise<Role>;
  /** Runs work with every replica's parameters to use in place. Make no steps meanwhile. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

export function createUse(optimizer: Optimizer): Use {
  const { plan } = insideOf(optimizer);
  const plain = roleOf(plan, Number.POSITIVE_INFINITY) === "params";
  const role = async (replica = 0) => (plain ? "params" : roleOf(plan, (await optimizer.stats({ replica })).step));
  return {
    role,
    async during(work) {
      if (plain) return work();
      const roles = await Promise.all(Array.from({ length: optimizer.replicas }, (_, replica) => role(replica)));
      if (roles.every((each) => each === "params")) return work();
      return isOnGpu(optimizer) ? swappedOnGpu(optimizer, roles, work) : swapped(optimizer, roles, work);
    },
  };
}

function isOnGpu(optimizer: Optimizer): optimizer is GpuOptimizer {
  return optimizer.backend === "webgpu";
}

async function swapped<T>(optimizer: Optimizer, roles: readonly Role[], work: () => Promise<T>): Promise<T> {
  const trained = await Promise.all(roles.map((_, replica) => optimizer.read("params", { replica })));
  const toUse = await Promise.all(roles.map((role, replica) => optimizer.read(role, { replica })));
  try {
    toUse.forEach((values, replica) => {
      optimizer.write("params", values, { replica });
    });
    return await work();
  } finally {
    trained.forEach((values, replica) => {
      optimizer.write("params", values, { replica });
    });
  }
}

/** Slots are copied on the device; only values that a rule computes from its slots go through the host. */
async function swappedOnGpu<T>(optimizer: GpuOptimizer, roles: readonly Role[], work: () => Promise<T>): Promise<T> {
  const { device, params } = optimizer;
  const { made: kept, buffers } = await allocate(device, "the parameters that are trained", (create) =>
    create("trained", params.size),
  );
  const copy = (encode: (encoder: GPUCommandEncoder) => void) => {
    const encoder = device.createCommandEncoder({ label: "fallline parameters to use" });
    encode(encoder);
    device.queue.submit([encoder.finish()]);
  };
  try {
    const workedOut = await Promise.all(
      roles.map((role, replica) => (role === "evaluation" ? optimizer.read(role, { replica }) : undefined)),
    );
    copy((encoder) => {
      encoder.copyBufferToBuffer(params, 0, kept, 0, params.size);
      roles.forEach((role, replica) => {
        if (role === "params" || role === "evaluation") return;
        for (const { name, length } of optimizer.segments) {
          const from = optimizer.binding(role, name, { replica });
          const to = optimizer.binding("params", name, { replica });
          encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, 4 * length);
        }
      });
    });
    try {
      workedOut.forEach((values, replica) => {
        if (values) optimizer.write("params", values, { replica });
      });
      return await work();
    } finally {
      copy((encoder) => encoder.copyBufferToBuffer(kept, 0, params, 0, params.size));
    }
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}
