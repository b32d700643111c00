// Waits for several promises, some of which may fail.

/** Like Promise.all, but rejects only once every promise has settled: what they make or use can be destroyed then. */
export async function together<T extends readonly unknown[] | []>(
  promises: T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
