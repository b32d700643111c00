// Which variant of the matrix product a device runs for which shape: what was pinned, else what was measured to be fastest, else
// the default; and where that is kept from one session to the next.
import { DeviceError, OptionError, show } from "../errors.ts";
import { adapterLine, describeAdapter } from "../gpu/device.ts";
import { version } from "../version.ts";
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

/** Keeps text under keys; `localStorage` is one. */
export interface ChoiceStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Billions of float32 operations in a second, by variant; 0 for one that the driver refused. */
export type Speeds = Readonly<Record<string, number>>;

/** What is known of one shape on one device. */
export interface Choice {
  /** The form, the sizes to the nearest power of two, and how they are read: "tn-1024x1024x128-vec4"; or "all". */
  readonly shape: string;
  readonly variant: string;
  readonly source: "pinned" | "measured";
  /** Of what was measured, GFLOP/s. */
  readonly speeds: Speeds;
}

interface Known {
  readonly pins: Record<string, string>;
  readonly speeds: Record<string, Record<string, number>>;
}

interface DeviceChoices {
  known: Known;
  store: ChoiceStore | undefined;
}

const devices = new WeakMap<GPUDevice, DeviceChoices>();

const nothing = (): Known => ({ pins: {}, speeds: {} });

function choicesOf(device: GPUDevice): DeviceChoices {
  const found = devices.get(device);
  if (found) return found;
  const store = pageStore();
  const made = { store, known: read(device, store) };
  devices.set(device, made);
  return made;
}

/** A page's own storage, where it has and grants one. */
function pageStore(): ChoiceStore | undefined {
  // Node may have a localStorage too, which is of no use without a file of its own.
  if (!("isSecureContext" in globalThis)) return undefined;
  try {
    return globalThis.localStorage;
  } catch {
    // Asking for it throws where the user has forbidden it; then choices are kept in memory alone.
    return undefined;
  }
}

/** Choices are those of an adapter and of this version's kernels. */
function storeKey(device: GPUDevice): string {
  return `fallline/${version}/products/${adapterLine(describeAdapter(device.adapterInfo))}`;
}

function read(device: GPUDevice, store: ChoiceStore | undefined): Known {
  const text = store?.getItem(storeKey(device));
  if (!text) return nothing();
  try {
    return check(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof OptionError)) throw error;
    // It holds nothing that cannot be measured again, and is replaced when something is.
    return nothing();
  }
}

/** @throws OptionError for what is not ours. */
function check(value: unknown): Known {
  const { pins, speeds } = Object(value) as Record<string, unknown>;
  const known = nothing();
  for (const [shape, name] of Object.entries(Object(pins))) known.pins[shape] = readVariant(name).name;
  for (const [shape, bySpeed] of Object.entries(Object(speeds))) {
    const each: Record<string, number> = {};
    for (const [name, speed] of Object.entries(Object(bySpeed))) {
      if (typeof speed !== "number")
        throw new OptionError(`the speed of ${name} is ${show(speed)}; it must be a number`);
      each[readVariant(name).name] = speed;
    }
    known.speeds[shape] = each;
  }
  return known;
}

function readVariant(name: unknown): Variant {
  const variant = typeof name === "string" ? findVariant(name) : undefined;
  if (!variant) {
    throw new OptionError(`variant is ${show(name)}; it must be one of ${variantNames.join(", ")}`);
  }
  return variant;
}

/** Notes something in memory and in the store. */
function note(device: GPUDevice, edit: (known: Known) => void): void {
  const choices = choicesOf(device);
  edit(choices.known);
  try {
    // Read anew: what other sessions have noted since stays, and what they have forgotten stays forgotten.
    const held = read(device, choices.store);
    edit(held);
    choices.store?.setItem(storeKey(device), JSON.stringify(held));
  } catch (error) {
    // A full storage is no reason to end a training; from here on choices are kept in memory.
    choices.store = undefined;
    console.warn(`fallline: the choice of kernels could not be stored (${(error as Error).message})`);
  }
}

/**
 * Where a device's choices are kept from now on, beside memory: what is in `store` is read now, what is measured or pinned is
 * written to it. Without this it is `localStorage` on a page and nothing elsewhere; `undefined` stands for memory alone.
 */
export function keepChoices(device: GPUDevice, store: ChoiceStore | undefined): void {
  devices.set(device, { store, known: read(device, store) });
}

/** What was measured and pinned on a device. */
export function choices(device: GPUDevice): readonly Choice[] {
  const { pins, speeds } = choicesOf(device).known;
  const shapes = [...new Set([...Object.keys(pins), ...Object.keys(speeds)])];
  return shapes.flatMap((shape): readonly Choice[] => {
    const of = speeds[shape] ?? {};
    const pin = pins[shape] ?? pins.all;
    const variant = pin ?? fastest(of);
    // Where every variant was refused there was nothing to choose.
    return variant === undefined ? [] : [{ shape, variant, source: pin ? "pinned" : "measured", speeds: of }];
  });
}

/**
 * Makes a device run one variant for a product's shape (and those that share its choice), or for all, whatever was measured.
 * Objectives that exist keep what they have; those made once this has resolved run it. Variants whose name begins with f16 round
 * the operands to float16, which changes results by about 1e-3 of their size.
 *
 * @throws OptionError for an unknown variant or no shape, DeviceError for one that the device cannot run; it says why.
 */
export async function pin(device: GPUDevice, shape: ProductShape | "all", variant: string): Promise<void> {
  const key = shape === "all" ? shape : shapeKey(readShape("shape", shape));
  const found = readVariant(variant);
  // Before that whyNot cannot tell of every variant.
  await probeVariants(device);
  const reason = whyNot(device, found);
  if (reason) throw new DeviceError(`variant ${found.name} cannot be pinned: ${reason}`);
  note(device, ({ pins }) => {
    pins[key] = found.name;
  });
}

/** Forgets what was measured and pinned on a device, in its store too. */
export function clear(device: GPUDevice): void {
  const choices = choicesOf(device);
  choices.known = nothing();
  choices.store?.removeItem(storeKey(device));
}

/** The variant that a product runs in. */
export function variantFor(device: GPUDevice, shape: ProductShape): Variant {
  return (
    pinnedVariant(device, shape) ??
    firstToRun(device, [fastest(speedsOf(device, shape))]) ??
    defaultVariant(device, shape)
  );
}

/** Whether a shape runs a variant that is pinned. */
export function isPinned(device: GPUDevice, shape: ProductShape): boolean {
  return pinnedVariant(device, shape) !== undefined;
}

function pinnedVariant(device: GPUDevice, shape: ProductShape): Variant | undefined {
  const { pins } = choicesOf(device).known;
  return firstToRun(device, [pins[shapeKey(shape)], pins.all]);
}

/** The first that the device can run: a store may hold choices of a device of the same adapter that had more features. */
function firstToRun(device: GPUDevice, names: readonly (string | undefined)[]): Variant | undefined {
  return names
    .map((name) => (name === undefined ? undefined : findVariant(name)))
    .find((variant) => variant && whyNot(device, variant) === undefined);
}

export function speedsOf(device: GPUDevice, shape: ProductShape): Speeds {
  return choicesOf(device).known.speeds[shapeKey(shape)] ?? {};
}

/** Notes measurements of a shape. */
export function noteSpeeds(device: GPUDevice, shape: ProductShape, measured: Speeds): void {
  const key = shapeKey(shape);
  note(device, ({ speeds }) => {
    speeds[key] = { ...speeds[key], ...measured };
  });
}

/** The fastest of a shape's variants; none where all were refused. */
function fastest(speeds: Speeds): string | undefined {
  return Object.entries(speeds).reduce<readonly [string | undefined, number]>(
    (best, entry) => (entry[1] > best[1] ? entry : best),
    [undefined, 0],
  )[0];
}
