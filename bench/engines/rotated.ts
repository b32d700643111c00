// Many copies of an engine, whose sets of buffers take turns step by step: nothing that a step reads was in a cache.
import { gpuTimeOf } from "../device.ts";
import type { Runner } from "../suite.ts";

/** More than today's caches hold, including those of the largest GPUs. */
const bytesOfAll = 2 ** 28;

/** The number of sets of this many bytes that exceed a cache. */
export const setsOf = (bytes: number) => Math.max(2, Math.ceil(bytesOfAll / bytes));

/** The engine's runner, with `count` sets of everything. Its answer is that of the first set. */
export async function rotated(load: () => Promise<Runner>, count: number): Promise<Runner> {
  const sets: Runner[] = [];
  const destroy = () => {
    for (const set of sets.splice(0).reverse()) set.destroy();
  };
  try {
    while (sets.length < count) sets.push(await load());
  } catch (error) {
    destroy();
    throw error;
  }
  let at = 0;
  const next = () => sets[at++ % count]!;
  const { together: _, gpuTime: __, encode: encodes, ...first } = sets[0]!;
  const encode = (pass: GPUComputePassEncoder) => next().encode?.(pass);
  const { device } = first;
  const note = `${count} sets of buffers take turns`;
  return {
    ...first,
    note: first.note === undefined ? note : `${first.note}; ${note}`,
    step: () => next().step(),
    async wait() {
      await Promise.all(sets.map((set) => set.wait()));
    },
    ...(device && encodes && { encode, ...gpuTimeOf(device, encode) }),
    destroy,
  };
}
