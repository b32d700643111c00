// A network that trains in a Web Worker: the page gets numbers and stays responsive. The same file is both sides.
import { adamw, requestDevice } from "fallline";
import { datasets, mlp, train, webgpuEngine } from "fallline/train";

if (typeof document === "undefined") {
  // In the worker: a device cannot be posted, so it is requested here.
  const inputs = Array.from({ length: 512 }, (_, i) => [Math.sin(3 * i), Math.cos(7 * i)]);
  const data = datasets.fromArrays({ inputs, labels: inputs.map(([x, y]) => Number(x * y > 0)) });
  const device = await requestDevice();
  const { losses, backend } = await train({
    engine: webgpuEngine(device),
    ...{ model: mlp([2, 16, 2]), data, optimizer: adamw(0.02), batch: 64, steps: 100 },
    onStep: ({ index, loss }) => index % 25 === 0 && postMessage({ index, loss }),
  });
  postMessage({ backend, learned: losses[99] < losses[0] / 2 });
  device.destroy();
} else {
  const output = document.querySelector("output");
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onerror = ({ message }) => {
    output?.replaceChildren(`the worker failed: ${message}`);
  };
  worker.onmessage = ({ data }) => {
    if (data.backend) worker.terminate();
    output?.replaceChildren(
      data.backend
        ? `trained on ${data.backend} in a worker, the loss halved: ${data.learned}` // → trained on webgpu in a worker, the loss halved: true
        : `step ${data.index}: loss ${data.loss.toFixed(3)}`,
    );
  };
}
