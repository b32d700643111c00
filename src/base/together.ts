// Waiting for several things of which some may fail.

/** As Promise.all, but where one fails only once none is on its way any more: what they make or use can be destroyed then. */
export async function together<T extends readonly unknown[] | []>(
  promises: T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
