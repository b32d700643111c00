// Where a browser rarely polls the device for finished work, empty submissions make it poll while somebody waits.

/**
 * The result of `work`, which ends when the device has finished something. Firefox polls every 100 ms, and at every submission:
 * there the device gets an empty submission every few milliseconds until then, bypassing any wrapper that counts its calls.
 */
export async function nudged<T>(device: GPUDevice | undefined, work: Promise<T>): Promise<T> {
  let waits = device !== undefined && /Firefox\//.test(globalThis.navigator?.userAgent);
  const end = () => {
    waits = false;
  };
  work.then(end, end);
  while (waits) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    GPUQueue.prototype.submit.call(device!.queue, []);
  }
  return work;
}
