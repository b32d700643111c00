// The shapes of the kernels that stream memory (updates, norms, sums, landscapes): how many lanes a workgroup has, and whether
// they join their sums. A device runs the pinned one, else the one that measured fastest, else the default.

import { described, isSoftware } from "./device.ts";
import { knownOf, type Speeds } from "./kernel_choices.ts";

/** The shape of kernels that stream memory. */
export interface StreamShape {
  /** How its lanes work, and how many there are: "apart-8", "joined-64". */
  readonly name: string;
  readonly workgroupSize: number;
  /** Whether a workgroup's lanes join their results: cheap on GPUs, but costlier than the kernel itself on an emulated one. */
  readonly barriers: boolean;
}

const apart = (lanes: number): StreamShape => ({ name: `apart-${lanes}`, workgroupSize: lanes, barriers: false });
const joined = (lanes: number): StreamShape => ({ name: `joined-${lanes}`, workgroupSize: lanes, barriers: true });

export const shapes: readonly StreamShape[] = [apart(4), apart(8), apart(16), joined(64), joined(128), joined(256)];

/** The names that `pin` accepts for the update. */
export const shapeNames: readonly string[] = /* @__PURE__ */ shapes.map(({ name }) => name);

/** How much faster than the default a shape must be to replace it; less may be noise. */
const clearlyFaster = 1.05;

/** The most lanes of the default shape on a GPU. */
const defaultLanes = 256;

/** The same by vendor, as adapters name them: Adreno and Mali hold few large workgroups at once. */
const lanesByVendor: Readonly<Record<string, number>> = { qualcomm: 64, arm: 64 };

/** The key of the chosen shape. */
export const updateChoice = "update";

/** The shapes worth measuring, the default first. */
export function shapeCandidates(device: GPUDevice): readonly StreamShape[] {
  const first = defaultShape(device);
  return [
    first,
    ...shapes.filter(
      (shape) => shape !== first && shape.barriers === first.barriers && whyNotShape(device, shape) === undefined,
    ),
  ];
}

/** Why a device cannot run a shape, as the end of a sentence; undefined if it can. */
export function whyNotShape(device: GPUDevice, shape: StreamShape): string | undefined {
  if (fits(device, shape)) return undefined;
  return `its workgroups have at most ${mostLanes(device)} lanes; ${shape.workgroupSize} are needed`;
}

function fits(device: GPUDevice, { workgroupSize }: StreamShape): boolean {
  return workgroupSize <= mostLanes(device);
}

/** How many lanes a workgroup along x may have: at least 128, as on phones, and 256 on most devices. */
export function mostLanes({ limits }: GPUDevice): number {
  return Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
}

/** The shape without a measurement or a pin. */
export function defaultShape(device: GPUDevice): StreamShape {
  if (!isSoftware(device)) {
    // A GPU hides memory latency with other lanes: a chunk is done soonest by as many as a workgroup holds.
    const { vendor } = described(device.adapterInfo);
    const most = Math.min(lanesByVendor[vendor.toLowerCase()] ?? defaultLanes, mostLanes(device));
    return (
      shapes.findLast(({ workgroupSize, barriers }) => barriers && workgroupSize <= most) ?? findShape("joined-64")!
    );
  }
  // An emulation runs as many lanes at once as its subgroups have. With more lanes, each reads its chunk's entry and row for
  // fewer elements; with fewer, some are idle. Without the feature, the size means nothing.
  const lanes = device.features.has("subgroups") ? device.adapterInfo.subgroupMinSize : undefined;
  return shapes.find(({ workgroupSize, barriers }) => !barriers && workgroupSize === lanes) ?? findShape("apart-8")!;
}

/** The shape of optimizers made from now on. */
export function streamShape(device: GPUDevice): StreamShape {
  return pinnedShape(device) ?? measuredShape(device) ?? defaultShape(device);
}

/** The constants of a kernel that joins a few sums: where barriers are emulated, one lane does it all. */
export function joinConstants(device: GPUDevice) {
  return isSoftware(device) ? { workgroup_size: 1, barriers: 0 } : { workgroup_size: 64, barriers: 1 };
}

/** The fastest measured shape; the default unless it is clearly slower. */
export function measuredShape(device: GPUDevice): StreamShape | undefined {
  const speeds = knownOf(device).speeds[updateChoice] ?? {};
  const speed = ({ name }: StreamShape) => speeds[name] ?? 0;
  const best = shapes
    .filter((shape) => fits(device, shape))
    .reduce((found, shape) => (speed(shape) > speed(found) ? shape : found));
  if (speed(best) === 0) return undefined;
  const usual = defaultShape(device);
  return speed(best) <= clearlyFaster * speed(usual) ? usual : best;
}

/** The pinned shape, if the device can run it: a store may hold that of another version or device. */
export function pinnedShape(device: GPUDevice): StreamShape | undefined {
  const name = knownOf(device).pins[updateChoice];
  return shapes.find((shape) => shape.name === name && fits(device, shape));
}

/** The measurements of known shapes, in GB/s. */
export function shapeSpeeds(device: GPUDevice): Speeds {
  const speeds = knownOf(device).speeds[updateChoice] ?? {};
  return Object.fromEntries(Object.entries(speeds).filter(([name]) => findShape(name)));
}

export function findShape(name: string): StreamShape | undefined {
  return shapes.find((shape) => shape.name === name);
}
