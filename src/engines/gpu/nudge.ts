// Where a browser rarely polls the device for finished work, empty submissions make it poll while somebody waits.

/** Firefox polls every 100 ms, and at every submission. */
const asksSeldom = () => globalThis.navigator?.userAgent?.includes("Firefox/") ?? false;

/** Pending promises by device; they share the device's submissions. */
const waiting = new WeakMap<GPUDevice, Set<Promise<unknown>>>();

/**
 * The result of `work`, which ends when the device has finished something. Where the browser would notice late, the device gets
 * an empty submission every few milliseconds until then, bypassing any wrapper that counts its calls.
 */
export async function nudged<T>(device: GPUDevice | undefined, work: Promise<T>): Promise<T> {
  if (!device || !asksSeldom()) return work;
  const pending = waiting.get(device);
  const all = pending ?? new Set();
  all.add(work);
  if (!pending) {
    waiting.set(device, all);
    nudge(device, all);
  }
  try {
    return await work;
  } finally {
    all.delete(work);
  }
}

function nudge(device: GPUDevice, pending: ReadonlySet<Promise<unknown>>): void {
  setTimeout(() => {
    if (pending.size === 0) {
      waiting.delete(device);
      return;
    }
    GPUQueue.prototype.submit.call(device.queue, []);
    nudge(device, pending);
  }, 1);
}
