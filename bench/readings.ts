// The work of the read cases, the same for every engine: what lies on the device, ready, comes to the host. Making it anew,
// where an engine keeps what was read once, is neither timed nor counted.
import type { Runner } from "./suite.ts";

/** All parameters of one tensor, or the few numbers that a step notes of itself, the gradient's norm among them. */
export type Wanted = "params" | "stats";

/** Brings the parameters, or the norm alone, to the host. */
export type Reader = () => Promise<ArrayLike<number>>;

/** A runner's part of it: `ready` makes sure that there is something on the device that nobody has read. */
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
