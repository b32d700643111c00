// `fallline/tfjs`: a `tf.Optimizer` whose update is fallline's, on TensorFlow.js's device and in the buffers of its variables.
import type * as TensorFlowCore from "@tensorflow/tfjs-core";
import type { NamedTensorMap, Optimizer, Tensor, Variable } from "@tensorflow/tfjs-core";
import { DeviceError, OptionError, show } from "./base/errors.ts";
import { readArray, readMade } from "./base/options.ts";
import { allocate } from "./engines/gpu/allocate.ts";
import { external } from "./engines/gpu/external.ts";
import { createOptimizer, type GpuOptimizer } from "./engines/gpu/optimizer.ts";
import type { OptimizerConfig } from "./optimizer/config.ts";
import { configOf } from "./optimizer/plan_config.ts";

/** The parts of TensorFlow.js in use: `import * as tf from "@tensorflow/tfjs"`, or its core. */
export type TensorFlow = Pick<typeof TensorFlowCore, "Optimizer" | "backend" | "clone" | "getBackend" | "keep">;

/** A variable, or a layer's weight, whose `read()` returns the variable. */
export type TfWeight = Variable | { read(): Tensor };

/** A `tf.Optimizer`: for `minimize`, `applyGradients` and `model.compile`. */
export interface TfOptimizer extends Optimizer {
  /** The underlying optimizer: for `set`, `stats`, `saveCheckpoint`, `freeze`; its tensors have the variables' names. */
  readonly optimizer: GpuOptimizer;
}

/** TensorFlow.js's record of a tensor. */
interface TensorData {
  values: unknown;
  resource?: GPUBuffer;
  external?: boolean;
}

/** The part of TensorFlow.js's WebGPU backend in use. */
interface Backend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(id: object): TensorData };
  uploadToGPU(id: object): void;
  refCount(id: object): number;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** One variable. */
interface Held {
  readonly variable: Variable;
  /** Its place while this optimizer lives. */
  readonly params: GPUBuffer;
  readonly gradients: GPUBuffer;
  readonly bytes: number;
  /** Shares the variable's data, so that TensorFlow.js frees its buffer with this optimizer at the earliest. */
  alias: Tensor;
}

/**
 * A `tf.Optimizer` with any of fallline's rules, schedules, groups and modifiers. The variables are updated in place, in
 * TensorFlow.js's own buffers; each gradient, a new tensor every step, is copied once on the GPU (8 bytes moved per parameter).
 * Nothing is read back, and no tensors leak: while it lives it holds one more reference to each variable
 * (`tf.memory().numTensors`), and none after `dispose()`.
 *
 * A tensor that shares a variable's data (`variable.clone()`, a reshape) keeps its values: they are copied before the update. A
 * variable that was assigned (`setWeights`) continues from its new values. A variable without a gradient counts as having one of
 * zero, so momentum and decay go on; freeze its group to leave it alone.
 *
 * ```js
 * import * as tf from "@tensorflow/tfjs";
 * import "@tensorflow/tfjs-backend-webgpu";
 * import { adamw, schedules } from "fallline";
 * import { createTfOptimizer } from "fallline/tfjs";
 * await tf.setBackend("webgpu");
 * const groups = [{ params: "*bias", weightDecay: 0 }];
 * const config = adamw({ lr: schedules.cosine({ base: 1e-3, steps: 1000 }), groups });
 * const optimizer = await createTfOptimizer(tf, model.trainableWeights, config);
 * model.compile({ optimizer, loss: "meanSquaredError" });
 * ```
 *
 * @param tf TensorFlow.js, whose backend is "webgpu".
 * @param variables The variables to update, of float32, or `model.trainableWeights`. Tensors get their names.
 * @param config A rule's config; replicas are not possible.
 * @throws OptionError for another backend, for anything but variables of float32, and like `createOptimizer`; DeviceError
 * likewise. `applyGradients` and `minimize` throw an OptionError for a gradient of a variable that is not among them or was
 * disposed, and the errors of `encode`.
 */
export async function createTfOptimizer(
  tf: TensorFlow,
  variables: readonly TfWeight[],
  config: OptimizerConfig,
): Promise<TfOptimizer> {
  const backend = readBackend(tf);
  const list = readArray("variables", variables, "variables of TensorFlow.js").map(readVariable);
  if (list.length === 0) throw new OptionError("variables is []; it must hold at least one variable");
  if (Object(config).replicas !== undefined) {
    throw new OptionError("replicas is set; TensorFlow.js has one copy of each variable, so leave it out");
  }
  const { device } = backend;
  const { made, buffers } = await allocate(device, "the gradients of the variables", (create) =>
    list.map(({ size }) => create("gradients", size * 4)),
  );
  const held = list.map((variable, i): Held => {
    const params = bufferOf(backend, variable);
    return { variable, params, gradients: made[i]!, bytes: variable.size * 4, alias: tf.keep(tf.clone(variable)) };
  });
  const release = () => {
    for (const { alias } of held) alias.dispose();
    for (const buffer of buffers) buffer.destroy();
  };
  flush(backend);
  const tensors = held.map(({ variable: { name, shape }, params, gradients }) =>
    external({ name, shape, params: { buffer: params }, gradients: { buffer: gradients } }),
  );
  let optimizer: GpuOptimizer;
  try {
    optimizer = await createOptimizer(device, tensors, config);
  } catch (error) {
    release();
    throw error;
  }
  return new (classOf(tf))(backend, optimizer, held, release);
}

/** The class, which extends that of this TensorFlow.js. */
function classOf(tf: TensorFlow) {
  return class FalllineOptimizer extends tf.Optimizer implements TfOptimizer {
    static get className() {
      return "Fallline";
    }

    readonly #backend: Backend;
    readonly #held: ReadonlyMap<string, Held>;
    readonly #release: () => void;
    readonly optimizer: GpuOptimizer;

    constructor(backend: Backend, optimizer: GpuOptimizer, held: readonly Held[], release: () => void) {
      super();
      this.#backend = backend;
      this.#held = new Map(held.map((each) => [each.variable.name, each]));
      this.#release = release;
      this.optimizer = optimizer;
    }

    override applyGradients(given: NamedTensorMap | { readonly name: string; readonly tensor: Tensor }[]): void {
      const backend = this.#backend;
      const gradients = this.#read(given);
      if (this.optimizer.destroyed) throw new DeviceError("applyGradients was called after dispose()");
      const copies: [from: GPUBuffer, to: GPUBuffer, bytes: number][] = [];
      const moved: Held[] = [];
      for (const each of this.#held.values()) {
        const gradient = gradients.get(each.variable.name);
        if (gradient) copies.push([bufferOf(backend, gradient), each.gradients, each.bytes]);
        if (each.variable.dataId === each.alias.dataId) part(tf, backend, each);
        else {
          copies.push([bufferOf(backend, each.variable), each.params, each.bytes]);
          moved.push(each);
        }
      }
      // Commands that TensorFlow.js has encoded come first.
      flush(backend);
      const encoder = backend.device.createCommandEncoder();
      for (const { variable, gradients: buffer } of this.#held.values()) {
        if (!gradients.has(variable.name)) encoder.clearBuffer(buffer);
      }
      for (const [from, to, bytes] of copies) encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
      this.optimizer.encode(encoder);
      backend.device.queue.submit([encoder.finish()]);
      this.optimizer.markSubmitted(encoder);
      for (const { variable, alias } of moved) variable.assign(alias);
      // Values read earlier are out of date.
      for (const { alias } of this.#held.values()) backend.tensorMap.get(alias.dataId).values = null;
      this.incrementIterations();
    }

    override getConfig() {
      return JSON.parse(JSON.stringify(configOf(this.optimizer)));
    }

    override dispose(): void {
      if (this.optimizer.destroyed) return;
      this.optimizer.destroy();
      this.#release();
    }

    /** The gradients by name, where present. */
    #read(given: NamedTensorMap | { readonly name: string; readonly tensor: Tensor }[]): Map<string, Tensor> {
      const found = new Map<string, Tensor>();
      for (const [name, tensor] of entriesOf(given)) {
        const each = this.#held.get(name as string);
        if (!each) {
          const names = [...this.#held.keys()].join(", ");
          throw new OptionError(`applyGradients was given a gradient of ${show(name)}; it must be one of ${names}`);
        }
        if (tensor === undefined || tensor === null) continue;
        const gradient = readGradient(`the gradient of "${each.variable.name}"`, tensor);
        if (gradient.size * 4 !== each.bytes) {
          const shape = show(each.variable.shape);
          throw new OptionError(
            `the gradient of "${each.variable.name}" has shape ${show(gradient.shape)}; it must be ${shape}`,
          );
        }
        found.set(each.variable.name, gradient);
      }
      for (const { variable } of this.#held.values()) {
        if (variable.isDisposed) throw new OptionError(`the variable "${variable.name}" is disposed; it must not be`);
      }
      return found;
    }
  };
}

function readBackend(tf: TensorFlow): Backend {
  const allowed = "TensorFlow.js, all that @tensorflow/tfjs or its core exports";
  readMade("tf", tf, allowed, {
    ...{ Optimizer: "function", backend: "function", clone: "function", getBackend: "function", keep: "function" },
  });
  const must = 'it must be "webgpu": await tf.setBackend("webgpu")';
  let backend: Partial<Backend>;
  try {
    backend = Object(tf.backend());
  } catch (cause) {
    throw new OptionError(`tf has no ready backend; ${must}`, { cause });
  }
  if (backend.device && backend.tensorMap && backend.uploadToGPU) return backend as Backend;
  throw new OptionError(`the backend of tf is ${show(tf.getBackend())}; ${must}`);
}

/** Names and gradients, of any kind. */
function entriesOf(given: unknown): readonly (readonly [name: unknown, tensor: unknown])[] {
  if (Array.isArray(given)) {
    return [...given].map((each) => {
      const { name, tensor } = Object(each);
      return [name, tensor];
    });
  }
  if (typeof given === "object" && given !== null) return Object.entries(given);
  const what = given === undefined ? "nothing" : show(given);
  throw new OptionError(
    `applyGradients was given ${what}; it must be gradients by name, or a list of { name, tensor }`,
  );
}

function readGradient(name: string, given: unknown): Tensor {
  const tensor = readMade(name, given as Tensor, "a tensor", { dataId: "object", shape: "array", size: "number" });
  if (tensor.isDisposed) throw new OptionError(`${name} is disposed; it must not be`);
  return tensor;
}

function readVariable(given: unknown, i: number): Variable {
  const { read } = Object(given);
  const value: unknown = typeof read === "function" ? read.call(given) : given;
  const variable = readMade(`variables[${i}]`, value as Variable, "a variable, such as tf.variable() gives", {
    ...{ assign: "function", dataId: "object", name: "string", shape: "array" },
  });
  if (variable.isDisposed) throw new OptionError(`variables[${i}]is disposed; it must not be`);
  if (variable.dtype !== "float32") {
    throw new OptionError(`variables[${i}] has dtype ${show(variable.dtype)}; it must be "float32"`);
  }
  return variable;
}

/** A tensor's place on the GPU; it is moved there if necessary. */
function bufferOf(backend: Backend, { dataId }: Tensor): GPUBuffer {
  const data = backend.tensorMap.get(dataId);
  backend.uploadToGPU(dataId);
  if (data.resource) return data.resource;
  throw new DeviceError("TensorFlow.js has no buffer for a tensor");
}

/** Submits the commands that TensorFlow.js has encoded. */
function flush(backend: Backend): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/**
 * If other tensors share a variable's data, they keep it and get a copy of its buffer, and the variable continues in the buffer
 * under new data.
 */
function part(tf: TensorFlow, backend: Backend, each: Held): void {
  const shared = each.alias.dataId;
  // The variable and the alias.
  if (backend.refCount(shared) <= 2) return;
  const { tensorRef } = each.variable.dataToGPU();
  const [theirs, ours] = [backend.tensorMap.get(shared), backend.tensorMap.get(tensorRef.dataId)];
  const { resource, external } = theirs;
  Object.assign(theirs, { resource: ours.resource, external: ours.external });
  Object.assign(ours, { resource, external });
  each.variable.assign(tensorRef);
  each.alias.dispose();
  each.alias = tf.keep(tensorRef);
}
