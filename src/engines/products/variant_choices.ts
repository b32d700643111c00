// The variant of the matrix product that a device runs for a shape: the pinned one, else the one that measured fastest, else the
// default; and pins and lists of all choices.
import { DeviceError, refusal } from "../../base/errors.ts";
import { readDevice } from "../gpu/device.ts";
import { fastest, knownOf, note, noteSpeedsOf, type Speeds } from "../gpu/kernel_choices.ts";
import {
  findShape,
  measuredShape,
  type StreamShape,
  shapeNames,
  updateChoice,
  whyNotShape,
} from "../gpu/kernel_shapes.ts";
import {
  defaultVariant,
  findVariant,
  type ProductShape,
  probeVariants,
  readShape,
  shapeKey,
  type Variant,
  variantNames,
  whyNot,
} from "./variants.ts";

/** The measurements and pin of one choice on one device. */
export interface Choice {
  /**
   * For a product the form, the sizes to the nearest power of two, and the access: "tn-1024x1024x128-vec4"; "all" for all of
   * them; or "update", the shape of the kernels that stream parameters, gradients and slots.
   */
  readonly shape: string;
  /** The variant's name. */
  readonly variant: string;
  /** Whether it was pinned or measured. */
  readonly source: "pinned" | "measured";
  /** Measured speeds: GFLOP/s for products, GB/s for the update. */
  readonly speeds: Speeds;
}

function readVariant(name: unknown): Variant {
  const variant = typeof name === "string" ? findVariant(name) : undefined;
  if (!variant) {
    throw refusal("variant", name, `one of ${variantNames.join(", ")}`);
  }
  return variant;
}

function readShapeName(name: unknown): StreamShape {
  const shape = typeof name === "string" ? findShape(name) : undefined;
  if (!shape) throw refusal("variant", name, `one of ${shapeNames.join(", ")}`);
  return shape;
}

/** The measurements and pins of a device. */
export function choices(device: GPUDevice): readonly Choice[] {
  const { pins, speeds } = knownOf(device);
  const shapes = [...new Set([...Object.keys(pins), ...Object.keys(speeds)])];
  return shapes.flatMap((shape): readonly Choice[] => {
    const ofUpdate = shape === updateChoice;
    const exists = (name: string) => (ofUpdate ? shapeNames : variantNames).includes(name);
    const of = Object.fromEntries(Object.entries(speeds[shape] ?? {}).filter(([name]) => exists(name)));
    const pin = [pins[shape], ofUpdate ? undefined : pins.all].find((name) => name !== undefined && exists(name));
    const variant = pin ?? (ofUpdate ? measuredShape(device)?.name : fastest(of));
    // If every variant was refused, there is nothing to choose.
    return variant === undefined ? [] : [{ shape, variant, source: pin ? "pinned" : "measured", speeds: of }];
  });
}

/**
 * Makes a device run one variant for a product's shape (and those that share its choice), for all products, or one shape of the
 * update's kernels, whatever was measured. Existing objectives and optimizers keep their kernels; those made after this resolves
 * use it. Variants whose names begin with f16 round the operands to float16, which changes results by about 1e-3 of their size.
 *
 * @throws OptionError for an unknown variant or a bad shape, DeviceError for one that the device cannot run; it says why.
 */
export async function pin(device: GPUDevice, shape: ProductShape | "all" | "update", variant: string): Promise<void> {
  readDevice(device);
  const key = shape === "all" || shape === updateChoice ? shape : shapeKey(readShape("shape", shape));
  const reason =
    shape === updateChoice ? whyNotShape(device, readShapeName(variant)) : await whyNotProbed(device, variant);
  if (reason) throw new DeviceError(`variant ${variant} cannot be pinned: ${reason}`);
  note(device, ({ pins }) => {
    pins[key] = variant;
  });
}

async function whyNotProbed(device: GPUDevice, name: string): Promise<string | undefined> {
  const variant = readVariant(name);
  // Until then whyNot cannot judge every variant.
  await probeVariants(device);
  return whyNot(device, variant);
}

/** The variant that runs a product. */
export function variantFor(device: GPUDevice, shape: ProductShape): Variant {
  return (
    pinnedVariant(device, shape) ??
    firstToRun(device, [fastest(speedsOf(device, shape))]) ??
    defaultVariant(device, shape)
  );
}

/** Whether a shape runs a pinned variant. */
export function isPinned(device: GPUDevice, shape: ProductShape): boolean {
  return pinnedVariant(device, shape) !== undefined;
}

function pinnedVariant(device: GPUDevice, shape: ProductShape): Variant | undefined {
  const { pins } = knownOf(device);
  return firstToRun(device, [pins[shapeKey(shape)], pins.all]);
}

/** The first that the device can run: a store may hold choices made on the same adapter with more features. */
function firstToRun(device: GPUDevice, names: readonly (string | undefined)[]): Variant | undefined {
  return names
    .map((name) => (name === undefined ? undefined : findVariant(name)))
    .find((variant) => variant && whyNot(device, variant) === undefined);
}

export function speedsOf(device: GPUDevice, shape: ProductShape): Speeds {
  return knownOf(device).speeds[shapeKey(shape)] ?? {};
}

/** Records measurements of a shape. */
export function noteSpeeds(device: GPUDevice, shape: ProductShape, measured: Speeds): void {
  noteSpeedsOf(device, shapeKey(shape), measured);
}
