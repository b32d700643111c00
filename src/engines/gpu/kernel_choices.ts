// Measurements and pins of a device: for each choice (a product's shape, the update), the names and speeds of its variants. Kept
// in memory, and between sessions in a store, by adapter and by this version's kernels.
import { isOptions, readMade } from "../../base/options.ts";
import { version } from "../../base/version.ts";
import { described, lineOf, readDevice } from "./device.ts";

/** Keeps text under keys; `localStorage` is one. */
export interface ChoiceStore {
  /** The text stored under a key, or null. */
  getItem(key: string): string | null;
  /** Stores a value under a key. */
  setItem(key: string, value: string): void;
  /** Removes a key. */
  removeItem(key: string): void;
}

/**
 * Speeds by variant: for products billions of float32 operations per second, for the update billions of bytes moved; 0 if the
 * driver refused it.
 */
export type Speeds = Readonly<Record<string, number>>;

/** By choice. Names may be those of former variants, or of ones that this device cannot run. */
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
  readDevice(device);
  const store = pageStore();
  const made = { store, known: read(device, store) };
  devices.set(device, made);
  return made;
}

/** The page's own storage, if it has one and may use it. */
function pageStore(): ChoiceStore | undefined {
  // Node may have a localStorage too, useless without a file of its own.
  if (!("isSecureContext" in globalThis)) return undefined;
  try {
    return globalThis.localStorage;
  } catch {
    // Access throws where the user has blocked storage; then choices are kept in memory only.
    return undefined;
  }
}

function storeKey(device: GPUDevice): string {
  return `fallline/${version}/kernels/${lineOf(described(device.adapterInfo))}`;
}

function read(device: GPUDevice, store: ChoiceStore | undefined): Known {
  const text = store?.getItem(storeKey(device));
  try {
    return knownIn(JSON.parse(text || "null"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Everything in it can be measured again; the next measurement replaces it.
    return nothing();
  }
}

/** The value as our record; nothing if any part of it is of another kind. */
function knownIn(value: unknown): Known {
  const known: Known = { ...nothing(), ...Object(value) };
  const whole =
    areAll(known.pins, (name) => typeof name === "string") &&
    areAll(known.speeds, (its) => areAll(its, (speed) => typeof speed === "number"));
  return whole ? known : nothing();
}

function areAll(record: unknown, fits: (value: unknown) => boolean): boolean {
  return isOptions(record) && Object.values(record).every(fits);
}

export function knownOf(device: GPUDevice): Known {
  return choicesOf(device).known;
}

/** Records a choice in memory and in the store. */
export function note(device: GPUDevice, edit: (known: Known) => void): void {
  const choices = choicesOf(device);
  edit(choices.known);
  try {
    // Read again, so that what other sessions saved or removed in the meantime stands.
    const held = read(device, choices.store);
    edit(held);
    choices.store?.setItem(storeKey(device), JSON.stringify(held));
  } catch (error) {
    // A full storage must not end a training run; from here on choices are kept in memory only.
    choices.store = undefined;
    console.warn(`fallline: the choice of kernels could not be stored (${(error as Error).message})`);
  }
}

/** Records measurements of a choice. */
export function noteSpeedsOf(device: GPUDevice, what: string, measured: Speeds): void {
  note(device, ({ speeds }) => {
    speeds[what] = { ...speeds[what], ...measured };
  });
}

/**
 * Sets the store of a device's choices from now on: its contents are read now, and whatever is measured or pinned is written to
 * it. The default is `localStorage` on a page and nothing elsewhere; `undefined` keeps choices in memory only.
 */
export function keepChoices(device: GPUDevice, store: ChoiceStore | undefined): void {
  readDevice(device);
  if (store !== undefined) {
    const members = { getItem: "function", setItem: "function", removeItem: "function" } as const;
    readMade("store", store, "one such as localStorage, or undefined", members);
  }
  devices.set(device, { store, known: read(device, store) });
}

/** Forgets a device's measurements and pins, in its store too. */
export function clear(device: GPUDevice): void {
  const choices = choicesOf(device);
  choices.known = nothing();
  choices.store?.removeItem(storeKey(device));
}

/** The fastest of some variants; undefined if all were refused. */
export function fastest(speeds: Speeds): string | undefined {
  return Object.entries(speeds).reduce<readonly [string | undefined, number]>(
    (best, entry) => (entry[1] > best[1] ? entry : best),
    [undefined, 0],
  )[0];
}
