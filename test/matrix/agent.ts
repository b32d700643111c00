// What runs where a WebGPU is, a page or a process: the cases on one adapter, shape after shape, each reported as it is done.
import { DeviceError } from "../../src/base/errors.ts";
import { adapterLine, describeAdapter, requestDevice } from "../../src/engines/gpu/device.ts";
import { streamShape } from "../../src/engines/gpu/kernel_shapes.ts";
import {
  type Case,
  type GroupName,
  groups,
  matrixCases,
  type Outcome,
  pinShape,
  type ReadFile,
  runCase,
  type Share,
  shapesOf,
} from "./cases.ts";

/** What is asked of an agent, as plain JSON. */
export interface Asked {
  /** Of a quick run, the share of the laws that this one takes. */
  readonly quick?: Share;
  /** Seconds after which no case is begun any more. */
  readonly seconds: number;
  /** Only cases with one of these in their group and name; all where there is none. */
  readonly only: readonly string[];
  /** Only these shapes of those that the device can run; what a quick or a whole run takes where there is none. */
  readonly shapes: readonly string[];
}

/** What an agent reports, line by line. */
export type Report =
  | {
      readonly type: "opened";
      /** What really runs, in words. */
      readonly adapter: string;
      readonly shapes: readonly string[];
      readonly features: readonly string[];
    }
  | {
      readonly type: "case";
      /** The shape that is pinned; the first one's where the group does not depend on it. */
      readonly shape: string;
      readonly group: GroupName;
      readonly name: string;
      readonly same?: Case["same"];
      readonly outcome: Outcome;
      readonly ms: number;
    }
  | { readonly type: "left"; readonly shape: string; readonly group: GroupName; readonly count: number }
  | { readonly type: "ended"; readonly problem?: string };

/** Runs everything on a WebGPU; ends with a report of its own, whatever happens. */
export async function runMatrix(
  gpu: GPU | undefined,
  read: ReadFile,
  { quick, seconds, only, shapes: asked }: Asked,
  report: (line: Report) => void,
): Promise<void> {
  const deadline = performance.now() + 1000 * seconds;
  try {
    const device = await requestDevice(gpu);
    const uncaught: string[] = [];
    device.addEventListener("uncapturederror", (event) =>
      uncaught.push((event as GPUUncapturedErrorEvent).error.message),
    );
    const runnable = shapesOf(device).filter((name) => asked.includes(name));
    const shapes = asked.length > 0 ? runnable : chosenShapes(device, quick !== undefined);
    report({
      type: "opened",
      adapter: adapterLine(describeAdapter(device.adapterInfo)),
      shapes,
      features: [...device.features].sort(),
    });
    const isAsked = ({ group, name }: Case) =>
      only.length === 0 || only.some((text) => `${group}: ${name}`.includes(text));
    const cases = (await matrixCases(read, quick)).filter(isAsked);
    for (const [turn, shape] of shapes.entries()) {
      await pinShape(device, shape);
      for (const group of Object.keys(groups) as GroupName[]) {
        const its = cases.filter((one) => one.group === group && (turn === 0 || groups[group].shaped));
        for (const [index, one] of its.entries()) {
          if (performance.now() > deadline) {
            report({ type: "left", shape, group, count: its.length - index });
            break;
          }
          const began = performance.now();
          const outcome = await runCase(one, device);
          const { name, same } = one;
          const ms = Math.round(performance.now() - began);
          report({ type: "case", shape, group, name, ...(same && { same }), outcome, ms });
        }
        await device.queue.onSubmittedWorkDone();
        for (const problem of uncaught.splice(0)) {
          report({ type: "case", shape, group, name: "uncaught errors", outcome: { problem }, ms: 0 });
        }
      }
    }
    device.destroy();
    report({ type: "ended" });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const problem = error instanceof DeviceError ? error.message : `it throws ${error.name}: ${error.message}`;
    report({ type: "ended", problem });
  }
}

/** The default's shape first; of a quick run the widest of the other kind beside it, of a whole run every one. */
function chosenShapes(device: GPUDevice, quick: boolean): readonly string[] {
  const usual = streamShape(device).name;
  const others = shapesOf(device).filter((name) => name !== usual);
  if (!quick) return [usual, ...others];
  const kind = usual.replace(/-\d+$/, "");
  return [usual, ...others.filter((name) => !name.startsWith(kind)).slice(-1)];
}

/** The cases of some groups on the CPU reference. */
export async function runReference(
  read: ReadFile,
  wanted: readonly string[],
  quick: Share | undefined,
  report: (line: Pick<Case, "group" | "name"> & { readonly outcome: Outcome }) => void,
): Promise<void> {
  for (const one of await matrixCases(read, quick)) {
    if (!wanted.includes(one.group)) continue;
    report({ group: one.group, name: one.name, outcome: await runCase(one, undefined) });
  }
}
