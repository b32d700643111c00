// Where a browser asks the device for finished work only now and then, empty submissions make it ask while somebody waits.

/** Firefox asks every 100 ms, and whenever something is submitted. */
const asksSeldom = () => globalThis.navigator?.userAgent?.includes("Firefox/") ?? false;

/** What is waited for on a device; all of it shares the device's submissions. */
const waiting = new WeakMap<GPUDevice, Set<Promise<unknown>>>();

/**
 * What `work` gives, which ends when the device has finished something. Where that would be learnt late, the device is handed an
 * empty submission every few milliseconds until then, past what counts its calls.
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
