// What was measured and pinned on a device: by what is chosen (a product's shape, the update), the names and speeds of its
// variants. Kept in memory, and from one session to the next in a store, by adapter and by this version's kernels.
import { readMade } from "../../base/options.ts";
import { version } from "../../base/version.ts";
import { described, lineOf, readDevice } from "./device.ts";

/** Keeps text under keys; `localStorage` is one. */
export interface ChoiceStore {
  /** What is stored under a key, or null. */
  getItem(key: string): string | null;
  /** Stores a value under a key. */
  setItem(key: string, value: string): void;
  /** Forgets a key. */
  removeItem(key: string): void;
}

/**
 * Speeds by variant: of products billions of float32 operations in a second, of the update billions of bytes moved; 0 for one
 * that the driver refused.
 */
export type Speeds = Readonly<Record<string, number>>;

/** By what is chosen. Names may be of variants that there are no more, or that this device cannot run. */
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

/** A page's own storage, where it has and grants one. */
function pageStore(): ChoiceStore | undefined {
  // Node may have a localStorage too, which is useless without a file of its own.
  if (!("isSecureContext" in globalThis)) return undefined;
  try {
    return globalThis.localStorage;
  } catch {
    // Asking for it throws where the user has forbidden it; then choices are kept in memory alone.
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

/** What is ours of a value; nothing where any of it is of another kind. */
function knownIn(value: unknown): Known {
  const { pins, speeds } = Object(value) as Record<string, unknown>;
  const known = {
    pins: { ...Object(pins) } as Known["pins"],
    speeds: Object.fromEntries(Object.entries(Object(speeds)).map(([what, byName]) => [what, { ...Object(byName) }])),
  } as Known;
  const whole =
    Object.values(known.pins).every((name) => typeof name === "string") &&
    Object.values(known.speeds).every((its) => Object.values(its).every((speed) => typeof speed === "number"));
  return whole ? known : nothing();
}

export function knownOf(device: GPUDevice): Known {
  return choicesOf(device).known;
}

/** Notes something in memory and in the store. */
export function note(device: GPUDevice, edit: (known: Known) => void): void {
  const choices = choicesOf(device);
  edit(choices.known);
  try {
    // Read again: what other sessions have saved since stays, and what they have forgotten stays forgotten.
    const held = read(device, choices.store);
    edit(held);
    choices.store?.setItem(storeKey(device), JSON.stringify(held));
  } catch (error) {
    // A full storage must not end a training run; from here on choices are kept in memory.
    choices.store = undefined;
    console.warn(`fallline: the choice of kernels could not be stored (${(error as Error).message})`);
  }
}

/** Notes measurements of what is chosen. */
export function noteSpeedsOf(device: GPUDevice, what: string, measured: Speeds): void {
  note(device, ({ speeds }) => {
    speeds[what] = { ...speeds[what], ...measured };
  });
}

/**
 * Sets where a device's choices are kept from now on, beside memory: the contents of `store` are read now, and whatever is
 * measured or pinned is written to it. The default is `localStorage` on a page and nothing elsewhere; `undefined` keeps choices
 * in memory alone.
 */
export function keepChoices(device: GPUDevice, store: ChoiceStore | undefined): void {
  readDevice(device);
  if (store !== undefined) {
    const members = { getItem: "function", setItem: "function", removeItem: "function" } as const;
    readMade("store", store, "one such as localStorage, or undefined", members);
  }
  devices.set(device, { store, known: read(device, store) });
}

/** Forgets what was measured and pinned on a device, in its store too. */
export function clear(device: GPUDevice): void {
  const choices = choicesOf(device);
  choices.known = nothing();
  choices.store?.removeItem(storeKey(device));
}

/** The fastest of some variants; none where all were refused. */
export function fastest(speeds: Speeds): string | undefined {
  return Object.entries(speeds).reduce<readonly [string | undefined, number]>(
    (best, entry) => (entry[1] > best[1] ? entry : best),
    [undefined, 0],
  )[0];
}
