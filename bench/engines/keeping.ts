// What an engine's load makes is freed by its runner, or at once where a later part of the load throws.
import type { Runner } from "../suite.ts";

interface Destroyable {
  destroy(): void;
}

/** Hands back what was made, and notes that it is to be destroyed. */
export type Keep = <T extends Destroyable>(made: T) => T;

/** A load whose runner destroys all that was kept, the last first, and each once however often it is asked. */
export function keeping<A extends readonly unknown[], R extends Omit<Runner, "destroy">>(
  load: (keep: Keep, ...given: A) => Promise<R>,
): (...given: A) => Promise<R & Pick<Runner, "destroy">> {
  return async (...given) => {
    const kept: Destroyable[] = [];
    const keep: Keep = (made) => {
      kept.push(made);
      return made;
    };
    try {
      return { ...(await load(keep, ...given)), destroy: () => destroyAll(kept) };
    } catch (error) {
      try {
        destroyAll(kept);
      } catch {
        // Why the load failed says more.
      }
      throw error;
    }
  };
}

/** @throws what the first of them throws, once all were asked. */
function destroyAll(kept: Destroyable[]): void {
  const errors: unknown[] = [];
  for (const made of kept.splice(0).reverse()) {
    try {
      made.destroy();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
