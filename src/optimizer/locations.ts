// Where an optimizer keeps the numbers of a role: the array, and the place in it. Pure arithmetic, the same for both engines.

import { OptionError, refusal, show } from "../base/errors.ts";
import { decoded, encoded, float32, type SlotFormat, wordsOf } from "../rules/slot_format.ts";
import { arenaLength, paddedLength, pagesOf, type Segment } from "./arena.ts";
import { type RuleSetLayout, slotRange } from "./layout.ts";
import type { Role } from "./optimizer.ts";
import { type Plan, rolesOf } from "./plan.ts";

/** One of the arrays of an optimizer. */
export interface Home {
  readonly kind: "params" | "gradients" | "accumulated" | "state" | "scalars";
  /** For arenas the page, for a rule's arrays the rule set. */
  readonly index: number;
}

/** A stretch of an array, in words; its length in elements. */
export interface Range {
  readonly home: Home;
  /** The start of the first replica's part. */
  readonly offset: number;
  readonly length: number;
  /** The format of the elements; undefined: float32. */
  readonly format?: SlotFormat;
  /** The stride between replicas. */
  readonly stride: number;
  /** The external buffer in place of the array. */
  readonly external?: GPUBuffer;
}

/** Words that a range takes. */
export function rangeWords({ format = float32, length }: Range): number {
  return wordsOf(format, length);
}

/** A range's numbers from their stored form. */
export function fromStored({ format = float32, length }: Range, stored: Float32Array<ArrayBuffer>) {
  return decoded(format, stored, length);
}

/** A range's numbers in their stored form. */
export function toStored({ format = float32 }: Range, values: Float32Array<ArrayBuffer>) {
  return encoded(format, values);
}

/** One tensor's numbers of one role. */
export interface Location extends Range {
  readonly segment: Segment;
}

/** Looks up where each tensor's numbers of a role are; throws an OptionError for an unknown role. */
export type Locate = (role: Role) => readonly Location[];

/**
 * Remembers its results, since reading and writing by role may happen at every step, until told to forget.
 *
 * @param segments Cut to the rows in use; at full size when this is called.
 */
export function locator(
  plan: Plan,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
): { readonly locate: Locate; readonly forget: () => void } {
  const strides = pagesOf(segments).map((page) => [arenaLength(segments, page), paddedLength(segments, page)] as const);
  const known = new Map<Role, readonly Location[]>();
  const locate: Locate = (role) => {
    const locations = known.get(role) ?? find(plan, layouts, segments, strides, role);
    known.set(role, locations);
    return locations;
  };
  return { locate, forget: () => known.clear() };
}

function find(
  plan: Plan,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
  strides: readonly (readonly [arena: number, padded: number])[],
  role: Role,
): readonly Location[] {
  if (role === "params" || role === "gradients" || (role === "accumulated" && plan.accumulate > 1)) {
    return segments.map((segment) => inArena(role as Arena, segment, strides[segment.page]!));
  }
  const found = layouts.flatMap((layout, index) => {
    if (!layout.slotBases.has(role)) return [];
    return layout.used.map((place): Location => {
      const home = { kind: "state", index } as const;
      return { segment: place.segment, home, ...slotRange(layout, place, role), stride: layout.stateLength };
    });
  });
  if (found.length > 0) return found;
  throw refusal("role", role, `one of ${rolesOf(plan).join(", ")}`);
}

type Arena = "params" | "gradients" | "accumulated";

function inArena(kind: Arena, segment: Segment, [arena, padded]: readonly [number, number]): Location {
  const { length, page, offset, external } = segment;
  const home: Home = { kind, index: page };
  if (kind === "accumulated") return { segment, home, offset, length, stride: padded };
  if (!external) return { segment, home, offset, length, stride: arena };
  const { buffer, offset: bytes } = external[kind];
  return { segment, home, offset: bytes / 4, length, stride: 0, external: buffer };
}

/** @throws OptionError for an unknown tensor. */
export function locationOf(locations: readonly Location[], call: string, name: string): Location {
  const location = locations.find(({ segment }) => segment.name === name);
  if (location) return location;
  const names = locations.map(({ segment }) => segment.name);
  throw new OptionError(`${call} names ${show(name)}, which is not a tensor; the tensors are ${names.join(", ")}`);
}

/** All scalars of a rule set together. */
export function scalarRange(layouts: readonly RuleSetLayout[], index: number): Range {
  const length = scalarLength(layouts[index]!);
  return { home: { kind: "scalars", index }, offset: 0, length, stride: length };
}

/** Numbers per replica: a record for all tensors together, then one for each. */
export const scalarLength = ({ scalars, places }: RuleSetLayout) => scalars.length * (1 + places.length);

/** Refuses a call if an external buffer lacks the usage for it. */
export function mustAllow({ segment, external }: Location, usage: "COPY_SRC" | "COPY_DST", call: string): void {
  if (external && (external.usage & GPUBufferUsage[usage]) === 0) {
    throw new OptionError(`${call} needs the buffer of tensor "${segment.name}" to have usage ${usage}`);
  }
}
