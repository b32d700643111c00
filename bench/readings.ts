// The work of the read cases, the same for every engine: results that are ready on the device come to the host. Recomputing them,
// in engines that cache what was read, is neither timed nor counted.
import type { Runner } from "./suite.ts";

/** All parameters of one tensor, or the few numbers that a step records about itself, the gradient's norm among them. */
export type Wanted = "params" | "stats";

/** Reads the parameters, or only the norm. */
export type Reader = () => Promise<ArrayLike<number>>;

/** The corresponding part of a runner: `ready` makes sure that the device has something not yet read. */
export function reading(
  wanted: Wanted,
  ready: () => Promise<Reader>,
): Required<Pick<Runner, "prepare" | "step" | "wait" | "answer">> {
  let reader: Reader | undefined;
  const read = async () => {
    const once = reader ?? (await ready());
    reader = undefined;
    return once();
  };
  return {
    async prepare() {
      reader = await ready();
    },
    async step() {
      await read();
    },
    wait: async () => undefined,
    async answer() {
      const found = Float32Array.from(await read());
      return wanted === "stats" ? { numbers: [...found], values: [] } : { numbers: [], values: [found] };
    },
  };
}
