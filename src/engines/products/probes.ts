// Probes: test an assumption of a product's kernel that WGSL does not guarantee, once on each device, before such a kernel may
// run.
import memoryText from "../../../shaders/products/memory_probe.wgsl?raw";
import quadsText from "../../../shaders/products/quads_probe.wgsl?raw";
import { assemble, type Source } from "../../base/assemble.ts";
import { DeviceError } from "../../base/errors.ts";
import { allocate } from "../gpu/allocate.ts";
import { learnLoss } from "../gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "../gpu/kernel.ts";
import { readParts } from "../gpu/readback.ts";

/** A kernel that fills words which show whether something holds; binding 1 is zeros. */
export interface Probe {
  /** Its subject, in words. */
  readonly name: string;
  readonly source: Source;
  /** Its workgroups, one for each run: the constants, and the number of words it fills. */
  readonly runs: readonly { readonly constants: Readonly<Record<string, number>>; readonly words: number }[];
  /** The value of each word if the assumption holds. */
  readonly expected: (word: number) => number;
}

const source = (name: string, file: string, text: string) =>
  assemble(`probe of ${name}`, [{ name: `shaders/products/${file}.wgsl`, text }]);

/** Whether quads are four invocations in a row. @param shapes The workgroups that will run. */
export function quadsProbe(shapes: readonly (readonly [width: number, height: number])[]): Probe {
  return {
    name: "quads",
    source: source("quads", "quads_probe", quadsText),
    runs: shapes.map(([width, height]) => ({ constants: { width, height }, words: 4 * width * height })),
    expected: (word) => 4 * Math.floor(word / 16) + (word % 4),
  };
}

const probeLanes = 64;

/** Whether a workgroup can hold this many bytes, and lanes can meet after an early return that depends on a loaded word. */
export function memoryProbe(bytes: number): Probe {
  const vec4s = bytes / 16;
  const name = `${bytes} bytes of workgroup memory`;
  return {
    name,
    source: source(name, "memory_probe", memoryText),
    runs: [{ constants: { lanes: probeLanes, vec4s }, words: probeLanes }],
    expected: (word) => vec4s - word,
  };
}

/** The answers, by device and probe. */
const answers = new WeakMap<GPUDevice, Map<Probe, boolean>>();
const asked = new WeakMap<GPUDevice, Map<Probe, Promise<void>>>();

/** One device's entry, for additions. */
function of<T>(all: WeakMap<GPUDevice, Map<Probe, T>>, device: GPUDevice): Map<Probe, T> {
  const known = all.get(device) ?? new Map<Probe, T>();
  all.set(device, known);
  return known;
}

/** False once {@link askOnce} has found that it does not hold, or could not find out; true for a device not yet probed. */
export function holds(device: GPUDevice, probe: Probe): boolean {
  return answers.get(device)?.get(probe) ?? true;
}

/** Takes an answer as found, so that the device is not probed. */
export function note(device: GPUDevice, probe: Probe, answer: boolean): void {
  of(answers, device).set(probe, answer);
}

/**
 * Probes a device once.
 *
 * @throws DeviceError where the device is lost.
 */
export async function askOnce(device: GPUDevice, probe: Probe): Promise<void> {
  if (of(answers, device).has(probe)) return;
  const pending = of(asked, device);
  const asking =
    pending.get(probe) ??
    ask(device, probe)
      .then((answer) => note(device, probe, answer))
      // After a failure, the next call tries again.
      .finally(() => pending.delete(probe));
  pending.set(probe, asking);
  await asking;
}

/** @throws DeviceError if the device is lost, out of memory or refuses the submission: that says nothing about the probe. */
async function ask(device: GPUDevice, { name, source, runs, expected }: Probe): Promise<boolean> {
  const kernels = await compileAll(device, source, runs);
  // Other kernels exist.
  if (!kernels) return false;
  const { made, buffers } = await allocate(device, `a probe of ${name}`, (create) => {
    const zeros = create("zeros", 16);
    return runs.map(({ words }, i) => {
      const buffer = create(`probe ${i}`, 4 * words);
      const { pipeline, bind } = kernels[i]!;
      const dispatch: Dispatch = { pipeline, bindGroup: bind([buffer, zeros]), workgroups: [1, 1] };
      return { buffer, offset: 0, bytes: 4 * words, dispatch };
    });
  });
  try {
    const read = await readParts(device, made, (encoder) => {
      const pass = encoder.beginComputePass({ label: `fallline probe of ${name}` });
      encodeDispatches(
        pass,
        made.map(({ dispatch }) => dispatch),
      );
      pass.end();
    });
    return read.every((bytes) => new Uint32Array(bytes).every((found, word) => found === expected(word)));
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** A kernel for each run; undefined if the device refuses one, as it would refuse the kernel itself. */
async function compileAll(device: GPUDevice, source: Source, runs: Probe["runs"]) {
  try {
    return await Promise.all(runs.map(({ constants }) => compileKernel(device, source, ["write", "read"], constants)));
  } catch (error) {
    if (!(error instanceof DeviceError) || (await learnLoss(device))) throw error;
    return undefined;
  }
}
