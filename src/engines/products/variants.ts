// The variants of the matrix product: a kernel and the shape of its workgroups. Which ones a device can run, and which one it
// runs before any measurement.

import { readBoolean, readNumber, readObject } from "../../base/options.ts";
import { isSoftware } from "../gpu/device.ts";
import { askOnce, holds, memoryProbe, quadsProbe } from "./probes.ts";
import type { KernelName, MatrixAccess } from "./sources.ts";

/** The sizes and form of a product: op(A) is [m, k], op(B) is [k, n]; each a whole number >= 1. */
export interface ProductShape {
  /** Rows of the result. */
  readonly m: number;
  /** Columns of the result. */
  readonly n: number;
  /** Terms of each element. */
  readonly k: number;
  /** Whether A is stored [k, m]; default false. */
  readonly transposeA?: boolean;
  /** Whether B is stored [n, k]; default false. */
  readonly transposeB?: boolean;
}

/** @throws OptionError for anything but a shape; errors use this name. */
export function readShape(name: string, value: unknown): ProductShape {
  const fields = readObject(name, value, ["m", "n", "k", "transposeA", "transposeB"]);
  const size = (of: "m" | "n" | "k") => readNumber(`${name}.${of}`, fields[of], { min: 1, integer: true });
  const flag = (of: "transposeA" | "transposeB") => readBoolean(`${name}.${of}`, fields[of] ?? false);
  return { m: size("m"), n: size("n"), k: size("k"), transposeA: flag("transposeA"), transposeB: flag("transposeB") };
}

export interface Variant {
  /** The kernel and the tile of C that a workgroup computes, such as "tiled-64x64". */
  readonly name: string;
  readonly kernel: KernelName;
  readonly tile: readonly [rows: number, columns: number];
  /** Lanes of a workgroup; in depth they share a tile's elements. */
  readonly lanes: readonly [width: number, height: number, depth: number];
  readonly constants: Readonly<Record<string, number>>;
  /** Bytes of workgroup memory. */
  readonly memory: number;
}

/** 16 × 8 elements per lane, in its registers. */
function registers(kernel: "registers" | "quads", width: number, height: number): Variant {
  const tile = [16 * height, 8 * width] as const;
  return {
    name: nameOf(kernel, tile),
    kernel,
    tile,
    lanes: [width, height, 1],
    constants: { width, height },
    memory: 0,
  };
}

/** `side` × `side` blocks of 4 × 4 elements per lane, from tiles in workgroup memory that are 16 deep. */
function tiled(kernel: "tiled" | "f16", width: number, height: number, side: 1 | 2): Variant {
  const tile = [4 * side * height, 4 * side * width] as const;
  return {
    name: nameOf(kernel, tile),
    kernel,
    tile,
    lanes: [width, height, 1],
    constants: { width, height, side_blocks: side },
    memory: 16 * (tile[0] + tile[1]) * (kernel === "f16" ? 2 : 4),
  };
}

/** 16 × 16 lanes, each `side` × `side` blocks of 4 × 4 elements, in its registers. */
function vectors(side: 1 | 2): Variant {
  const tile = [64 * side, 64 * side] as const;
  return {
    name: nameOf("vectors", tile),
    kernel: "vectors",
    tile,
    lanes: [16, 16, 1],
    constants: { width: 16, height: 16, side_blocks: side },
    memory: 0,
  };
}

/** 4 × 4 elements per lane over one of several slices of the depth; the slices' sums meet in workgroup memory. */
function sliced(side: 4 | 8, slices: number): Variant {
  const tile = [4 * side, 4 * side] as const;
  return {
    name: nameOf("sliced", tile),
    kernel: "sliced",
    tile,
    lanes: [side, side, slices],
    constants: { width: side, height: side, slices },
    memory: 64 * side * side * slices,
  };
}

const nameOf = (kernel: KernelName, [rows, columns]: Variant["tile"]) => `${kernel}-${rows}x${columns}`;

export const variants: readonly Variant[] = [
  registers("registers", 2, 2),
  registers("registers", 4, 4),
  registers("registers", 8, 8),
  registers("quads", 4, 1),
  registers("quads", 4, 2),
  registers("quads", 8, 8),
  vectors(1),
  vectors(2),
  sliced(4, 8),
  sliced(8, 4),
  tiled("tiled", 8, 8, 1),
  tiled("tiled", 8, 8, 2),
  tiled("tiled", 16, 16, 2),
  tiled("f16", 8, 8, 2),
  tiled("f16", 16, 16, 2),
];

/** The names that `pin` accepts. */
export const variantNames: readonly string[] = variants.map(({ name }) => name);

/** Whether quads are four invocations in a row in the workgroups that rely on it. */
export const quadsInRow = /* @__PURE__ */ quadsProbe(
  variants.filter(({ kernel }) => kernel === "quads").map(({ lanes: [width, height] }) => [width, height]),
);

/** Whether variants can have the workgroup memory that they need: half of what every device promises, and all of it. */
export const memoryProbes = /* @__PURE__ */ [8192, 16_384].map((bytes) => ({ bytes, probe: memoryProbe(bytes) }));

/**
 * Probes the device for {@link whyNot}; await it before a variant is chosen. An emulated GPU chooses no variant that needs
 * workgroup memory.
 */
export async function probeVariants(device: GPUDevice): Promise<void> {
  await Promise.all([
    ...(device.features.has("subgroups") ? [askOnce(device, quadsInRow)] : []),
    ...(isSoftware(device) ? [] : memoryProbes.map(({ probe }) => askOnce(device, probe))),
  ]);
}

/** The variant of that name; undefined where there is none. */
export function findVariant(name: string): Variant | undefined {
  return variants.find((variant) => variant.name === name);
}

/** The number of lanes in a workgroup. */
export const lanesOf = ({ lanes: [width, height, depth] }: Variant): number => width * height * depth;

/** Why a device cannot run a variant, as the end of a sentence; undefined where it can. */
export function whyNot(device: GPUDevice, variant: Variant): string | undefined {
  const { kernel, memory } = variant;
  const { features, limits } = device;
  if (kernel === "quads") {
    if (!features.has("subgroups")) return 'the device lacks the feature "subgroups"';
    const least = device.adapterInfo?.subgroupMinSize;
    if (least !== undefined && least < 4) return `its subgroups may have ${least} lanes; 4 are needed`;
    if (!holds(device, quadsInRow)) return "its quads are not four consecutive invocations";
  }
  if (kernel === "f16" && !features.has("shader-f16")) return 'the device lacks the feature "shader-f16"';
  const lanes = lanesOf(variant);
  if (lanes > limits.maxComputeInvocationsPerWorkgroup) {
    return `maxComputeInvocationsPerWorkgroup is ${limits.maxComputeInvocationsPerWorkgroup}, and ${lanes} are needed`;
  }
  if (memory > limits.maxComputeWorkgroupStorageSize) {
    return `maxComputeWorkgroupStorageSize is ${limits.maxComputeWorkgroupStorageSize}, and ${memory} are needed`;
  }
  const probed = memory > 0 && memoryProbes.find(({ bytes }) => memory <= bytes);
  if (probed && !holds(device, probed.probe)) {
    return `a probe of ${probed.bytes} bytes of workgroup memory and barriers failed on it`;
  }
  return undefined;
}

/**
 * The variants worth measuring, the default first. Half precision changes results and is never among them. On an emulated GPU
 * barriers cost more than the work between them and compiling costs more than larger workgroups gain, so only the small variants
 * without barriers are worth it there.
 */
export function candidates(device: GPUDevice, shape: ProductShape): readonly Variant[] {
  const first = defaultVariant(device, shape);
  const software = isSoftware(device);
  return [
    first,
    ...variants.filter(
      (variant) =>
        variant !== first &&
        variant.kernel !== "f16" &&
        !(software && (variant.memory > 0 || lanesOf(variant) > 8)) &&
        whyNot(device, variant) === undefined,
    ),
  ];
}

/** The variant without a measurement or a pin. */
export function defaultVariant(device: GPUDevice, { m, n, k }: ProductShape): Variant {
  if (isSoftware(device)) {
    // With few rows a tall tile would be half empty.
    const quads = findVariant(m > 16 ? "quads-32x32" : "quads-16x32")!;
    return whyNot(device, quads) === undefined ? quads : findVariant("registers-32x16")!;
  }
  // Large tiles reuse more of what they load, but a GPU needs many of them; where there are few, their depth is cut.
  const tiles = (side: number) => Math.ceil(m / side) * Math.ceil(n / side);
  const cut = tiles(64) < 512 && tiles(32) < 64 && k >= 128;
  const wanted = [
    ...(tiles(64) >= 512 ? ["tiled-64x64"] : []),
    ...(cut ? [tiles(32) < 16 ? "sliced-16x16" : "sliced-32x32"] : []),
    "tiled-32x32",
    // Without workgroup memory.
    "registers-32x16",
  ].map((name) => findVariant(name)!);
  return wanted.find((variant) => whyNot(device, variant) === undefined) ?? wanted.at(-1)!;
}

/** Whether stored rows are whole vec4s. */
export function accessOf({ m, n, k, transposeA = false }: ProductShape): MatrixAccess {
  return n % 4 === 0 && k % 4 === 0 && (!transposeA || m % 4 === 0) ? "vec4" : "any";
}

/** The key of a choice that products share: form, sizes to the nearest power of two, access. Such as "tn-1024x1024x128-vec4". */
export function shapeKey(shape: ProductShape): string {
  const { m, n, k, transposeA, transposeB } = shape;
  const form = `${transposeA ? "t" : "n"}${transposeB ? "t" : "n"}`;
  const sizes = [m, n, k].map((size) => 2 ** Math.round(Math.log2(size)));
  return `${form}-${sizes.join("x")}-${accessOf(shape)}`;
}
