// Faults of a device, one by one over each job: allocations that fail, submissions that are refused, a device that is lost at
// each call. Survived is what ends with an error of the library's or with the very outcome of the undisturbed job, leaves no
// buffer behind, and rejects nothing that nobody awaits.
import { keep, openWebGPU } from "../../scripts/webgpu.mjs";
import { FalllineError } from "../../src/base/errors.ts";
import { requestDevice } from "../../src/engines/gpu/device.ts";
import { type Job, jobs } from "./jobs.ts";
import { type Report, Tally } from "./tally.ts";

/** A job that takes longer than this hangs. */
const mostMs = 20_000;

/** A device whose calls a fault can get in the way of. */
interface Shaky {
  readonly device: GPUDevice;
  /** Buffers that live. */
  readonly alive: Set<GPUBuffer>;
  /** Calls counted since the last `arm`. */
  calls: number;
  /** From where in the library each of those calls came. */
  readonly sites: string[];
  /** Called with the number of each call, from 1, of the kind that the fault is about. */
  fault: ((call: number) => "throw" | "invalid" | "refuse" | "lose" | undefined) | undefined;
}

type Kind = "allocations" | "submissions" | "waits";

const opened = await openWebGPU();

async function shakyDevice(kind: Kind): Promise<Shaky> {
  if ("reason" in opened) throw new Error(`faults of a device need WebGPU: ${opened.reason}`);
  const device = await requestDevice(opened.gpu);
  keep(device);
  // What a fault provokes is no surprise here.
  device.addEventListener("uncapturederror", (event) => event.preventDefault());
  const shaky: Shaky = { device, alive: new Set(), calls: 0, sites: [], fault: undefined };
  const next = () => {
    if (kind === "waits") shaky.sites.push(callSite());
    return shaky.fault?.(++shaky.calls);
  };

  const createBuffer = device.createBuffer.bind(device);
  replace(device, "createBuffer", (descriptor: GPUBufferDescriptor) => {
    const fault = kind === "allocations" ? next() : undefined;
    if (fault === "throw") throw new RangeError("no memory for this buffer");
    const given = fault === "invalid" ? { ...descriptor, size: 2 ** 43, mappedAtCreation: false } : descriptor;
    const buffer = createBuffer(given);
    shaky.alive.add(buffer);
    const destroy = buffer.destroy.bind(buffer);
    replace(buffer, "destroy", () => {
      shaky.alive.delete(buffer);
      destroy();
    });
    if (kind === "waits") {
      const mapAsync = buffer.mapAsync.bind(buffer);
      replace(buffer, "mapAsync", (...given: Parameters<GPUBuffer["mapAsync"]>) => {
        if (next() === "lose") device.destroy();
        return mapAsync(...given);
      });
    }
    return buffer;
  });

  if (kind === "submissions") {
    const bad = createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC });
    const submit = device.queue.submit.bind(device.queue);
    replace(device.queue, "submit", (buffers: Iterable<GPUCommandBuffer>) => {
      if (next() !== "refuse") return submit(buffers);
      // A copy out of bounds makes a driver refuse the whole submission.
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(bad, 0, bad, 2, 3);
      return submit([...buffers, encoder.finish()]);
    });
  }
  if (kind === "waits") {
    for (const name of ["popErrorScope", "createComputePipelineAsync"] as const) {
      const call = device[name].bind(device) as (...given: unknown[]) => unknown;
      replace(device, name, (...given: unknown[]) => {
        if (next() === "lose") device.destroy();
        return call(...given);
      });
    }
    const submit = device.queue.submit.bind(device.queue);
    replace(device.queue, "submit", (buffers: Iterable<GPUCommandBuffer>) => {
      if (next() === "lose") device.destroy();
      return submit(buffers);
    });
  }
  return shaky;
}

/** The two innermost places of the library that lead to this call: what waits, and who asked for it. */
function callSite(): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, callSite);
  const places = holder.stack?.match(/src\/[\w/.]+:\d+:\d+/g) ?? [];
  return places.slice(0, 2).join(" < ");
}

/** The numbers, from 1, of the first and the last call from each place: others from there find nothing else. */
function ofEachSite(sites: readonly string[]): readonly number[] {
  return sites.flatMap((site, i) => (sites.indexOf(site) === i || sites.lastIndexOf(site) === i ? [i + 1] : []));
}

function replace(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { configurable: true, value });
}

const unhandled: unknown[] = [];

/** Runs a job with a fault, and says what is wrong with what came of it; else how it was survived. */
async function tryFault(job: Job, shaky: Shaky, wanted: string): Promise<{ how: string } | { fault: string }> {
  unhandled.length = 0;
  const before = shaky.alive.size;
  let outcome: { how: string } | { fault: string };
  try {
    const got = await within(job.run(shaky.device));
    outcome = got === wanted ? { how: "same outcome" } : { fault: "another outcome and no error" };
  } catch (error) {
    if (error instanceof FalllineError) {
      const empty = /(: |: undefined|: null)$/.test(error.message);
      outcome = empty ? { fault: `an error that says nothing: ${error.message}` } : { how: "refused" };
    } else outcome = { fault: `raw ${(error as Error)?.name}: ${(error as Error)?.message}` };
  }
  // What was started and not awaited is over by then.
  await new Promise((resolve) => setTimeout(resolve, 2));
  if (unhandled.length > 0) return { fault: `a rejection that nobody handles: ${unhandled[0]}` };
  const left = [...shaky.alive].slice(before).map(({ label }) => label);
  if (left.length > 0) return { fault: `buffers left: ${left.slice(0, 5).join(", ")}` };
  return outcome;
}

async function within(work: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${mostMs} ms`)), mostMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The outcome of a job that nothing disturbs, twice, since the first one may allocate what the second finds. */
async function undisturbed(job: Job, shaky: Shaky): Promise<{ outcome: string; calls: number }> {
  shaky.fault = undefined;
  await job.run(shaky.device);
  shaky.calls = 0;
  shaky.fault = () => undefined;
  const outcome = await job.run(shaky.device);
  return { outcome, calls: shaky.calls };
}

/** Every allocation of every job fails, by an exception and as an invalid buffer. */
export async function allocations(report: Report): Promise<void> {
  await eachCall("allocations", ["throw", "invalid"], "allocations failed one by one", report);
}

/** Every submission of every job is refused by the device. */
export async function submissions(report: Report): Promise<void> {
  await eachCall("submissions", ["refuse"], "submissions refused one by one", report);
}

async function eachCall(
  kind: "allocations" | "submissions",
  ways: readonly ("throw" | "invalid" | "refuse")[],
  what: string,
  report: Report,
): Promise<void> {
  const collect = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", collect);
  for (const job of jobs) {
    const shaky = await shakyDevice(kind);
    const { outcome, calls } = await undisturbed(job, shaky);
    const tally = new Tally(`${what}, ${job.name}`);
    for (const way of ways) {
      for (let k = 1; k <= calls; k++) {
        shaky.calls = 0;
        shaky.fault = (call) => (call === k ? way : undefined);
        count(tally, await tryFault(job, shaky, outcome), `${way} at ${k} of ${calls}`);
        shaky.fault = undefined;
      }
    }
    report(tally.row());
    shaky.device.destroy();
  }
  process.off("unhandledRejection", collect);
}

/** The device is lost at each place of the library that waits for it, and at each that submits. */
export async function losses(report: Report, name: string): Promise<void> {
  const collect = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", collect);
  Error.stackTraceLimit = 20;
  for (const job of jobs.filter((each) => each.name === name)) {
    const first = await shakyDevice("waits");
    first.fault = () => undefined;
    const outcome = await job.run(first.device);
    const calls = ofEachSite(first.sites);
    const tally = new Tally(`devices lost at each place that waits, ${job.name}`);
    for (const k of calls) {
      const shaky = await shakyDevice("waits");
      shaky.fault = (call) => (call === k ? "lose" : undefined);
      count(tally, await tryFault(job, shaky, outcome), `lost at ${k} of ${first.calls}`);
      shaky.device.destroy();
    }
    report(tally.row());
    first.device.destroy();
  }
  process.off("unhandledRejection", collect);
}

function count(tally: Tally, outcome: { how: string } | { fault: string }, place: string): void {
  if ("how" in outcome) tally.survived(outcome.how);
  else tally.fault(outcome.fault.slice(0, 60), `${place}: ${outcome.fault}`);
}
