// Loaded before the command line (node --import): the first device is lost at its LOSE_AT-th submission.
const at = Number(process.env.LOSE_AT);
let first = true;
/** @param {typeof GPUAdapter} adapter */
const patch = (adapter) => {
  const { requestDevice } = adapter.prototype;
  adapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    if (!first) return device;
    first = false;
    const { queue } = device;
    const submit = queue.submit.bind(queue);
    let count = 0;
    queue.submit = (buffers) => {
      if (++count === at) device.destroy();
      return submit(buffers);
    };
    return device;
  };
};
// Dawn puts its classes there once it is loaded.
Object.defineProperty(globalThis, "GPUAdapter", {
  configurable: true,
  set(value) {
    Object.defineProperty(globalThis, "GPUAdapter", { value, writable: true, configurable: true });
    patch(value);
  },
});
