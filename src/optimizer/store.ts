// The interface of an engine to an optimizer: arrays of numbers, a step over them, and the progress of each replica.

import type { Range } from "./locations.ts";
import type { LayerStats, Stats } from "./optimizer.ts";
import type { CarryValues, RowSource } from "./table.ts";

/** The progress of one replica. */
export interface Clock {
  readonly step: number;
  readonly skipped: number;
  readonly lossScale: number;
  /** Updates since the loss scale changed or one was skipped. */
  readonly goodSteps: number;
}

/** The state of one replica at one moment. */
export interface ReplicaRecord extends Stats, Clock {
  /** Gradients added up since the last update. */
  readonly micro: number;
}

/** The values that a replica's groups carry into a step, by rule set and group. */
export interface Past {
  /** The values that rules carry from row to row; null before a group's first update. */
  readonly carried: readonly (readonly (CarryValues | null)[])[];
  /** Updates made. */
  readonly made: readonly (readonly number[])[];
}

export function pastOf(sources: readonly RowSource[], step: number): Past {
  return {
    carried: sources.map((source) => source.carried(step)),
    made: sources.map((source) => source.made(step)),
  };
}

/** Numbers at one moment. */
export interface Fetched {
  /** Of the requested replica. */
  readonly record: ReplicaRecord;
  /** By range. */
  readonly values: readonly Float32Array<ArrayBuffer>[];
  /** Of the requested replica. */
  readonly past: () => Past;
}

/** Numbers to be written. */
export interface Write {
  readonly range: Range;
  readonly replica: number;
  readonly values: Float32Array<ArrayBuffer>;
}

export interface Store {
  /** Whether `destroy` was called. */
  readonly destroyed: boolean;
  /** @throws DeviceError that names the call, if the store is destroyed or its device lost. */
  mustLive(call: string): void;
  /** The step of a replica's next update, as far as the host knows. */
  next(replica: number): number;
  /** Before hypers or freezing change: keeps the values that rules have carried so far. */
  settle(): void;
  /** After groups were frozen or thawed, before {@link Store.expire}. */
  refreeze(): void;
  /** After hypers or freezing have changed: rows made ahead are remade. */
  expire(): void;
  /** After the rows in use have changed: the next submission updates the new ones. */
  recut(): void;
  step(): void;
  zeroGrad(): void;
  setHalted(replica: number, halted: boolean): void;
  isHalted(replica: number): boolean;
  /** Copies ranges of a replica after every step made so far. */
  fetch(ranges: readonly Range[], replica: number): Promise<Fetched>;
  write(writes: readonly Write[]): void;
  /** Sets every replica to a checkpoint's step, and writes its numbers. */
  restore(clocks: readonly Clock[], pasts: readonly Past[], micro: number, writes: readonly Write[]): Promise<void>;
  layers(replica: number): Promise<readonly LayerStats[]>;
  destroy(): void;
}
