// Everything made by an engine's load is freed by its runner, or at once if a later part of the load throws.
import { allocate, type CreateBuffer } from "../../src/engines/gpu/allocate.ts";
import { messageOf, type Runner } from "../suite.ts";

interface Destroyable {
  destroy(): void;
}

/** Returns its argument, and marks it for destruction. */
export type Keep = <T extends Destroyable>(made: T) => T;

/** A load whose runner destroys everything kept, last first, and each once however often it is called. */
export function keeping<A extends readonly unknown[], R extends Omit<Runner, "destroy">>(
  load: (keep: Keep, ...given: A) => Promise<R>,
): (...given: A) => Promise<R & Pick<Runner, "destroy">> {
  return async (...given) => {
    const kept: Destroyable[] = [];
    const keep: Keep = (made) => {
      kept.push(made);
      return made;
    };
    const destroy = () => {
      const [error] = destroyAll(kept);
      if (error !== undefined) throw error;
    };
    try {
      return { ...(await load(keep, ...given)), destroy };
    } catch (error) {
      const also = destroyAll(kept);
      throw also.length === 0 ? error : new AggregateError([error, ...also], messageOf(error), { cause: error });
    }
  };
}

/** Allocates buffers that are kept. */
export async function allocateKept<T>(
  keep: Keep,
  device: GPUDevice,
  purpose: string,
  build: (create: CreateBuffer) => T,
): Promise<T> {
  const { made, buffers } = await allocate(device, purpose, build);
  for (const buffer of buffers) keep(buffer);
  return made;
}

/** Destroys all of them, and returns what they threw. */
function destroyAll(kept: Destroyable[]): unknown[] {
  const errors: unknown[] = [];
  for (const made of kept.splice(0).reverse()) {
    try {
      made.destroy();
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}
