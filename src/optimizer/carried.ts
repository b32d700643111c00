// The values that a rule carries from row to row, in float64: for each group those into one step after the other, as far as needed.
import type { Carry } from "../rules/rule.ts";
import type { CarryValues } from "./table.ts";

/** The groups' updates, on which the values depend. */
export interface Updates {
  readonly groups: number;
  isFrozenAt(group: number, step: number): boolean;
  /** How many a group has made before a step. */
  made(group: number, step: number): number;
  hypers(group: number, step: number): Record<string, number>;
  /** The hypers of the step after a step. */
  ahead(group: number, step: number): Record<string, number>;
}

/** The values carried by one rule set's groups in one replica. */
export class Carried {
  readonly #carry: Carry<string, string>;
  readonly #updates: Updates;
  /** For each group, the values carried into steps `#from` and on; undefined before its first update. */
  readonly #trails: (CarryValues | undefined)[][];
  #from = 0;

  constructor(carry: Carry<string, string>, updates: Updates) {
    this.#carry = carry;
    this.#updates = updates;
    this.#trails = Array.from({ length: updates.groups }, () => []);
  }

  /** The values carried into a step; undefined before the group's first update. */
  at(group: number, step: number): CarryValues | undefined {
    const updates = this.#updates;
    const trail = this.#trails[group]!;
    if (trail.length === 0) trail.push(undefined);
    while (trail.length <= step - this.#from) {
      const last = this.#from + trail.length - 1;
      const before = trail[trail.length - 1];
      if (updates.isFrozenAt(group, last)) {
        trail.push(before);
        continue;
      }
      const hypers = updates.hypers(group, last);
      const ahead = () => updates.ahead(group, last);
      trail.push(this.#carry.next(before ?? this.#carry.start(hypers), hypers, updates.made(group, last) + 1, ahead));
    }
    return trail[Math.max(0, step - this.#from)];
  }

  /** The same, the initial ones before the first update. */
  into(group: number, step: number): CarryValues {
    return this.at(group, step) ?? this.#carry.start(this.#updates.hypers(group, step));
  }

  /** Fixes the values carried up to `step` before hypers or freezing change: only later ones are computed again. */
  settle(step: number): void {
    this.#trails.forEach((trail, group) => {
      this.at(group, step);
      trail.length = Math.min(trail.length, step + 1 - this.#from);
    });
  }

  /** The values carried into steps after `step` are no longer right. */
  cut(group: number, step: number): void {
    const trail = this.#trails[group]!;
    trail.length = Math.min(trail.length, Math.max(1, step + 1 - this.#from));
  }

  /** Forgets everything before `step`. */
  prune(step: number): void {
    if (step <= this.#from) return;
    this.#trails.forEach((trail, group) => {
      this.at(group, step);
      trail.splice(0, step - this.#from);
    });
    this.#from = step;
  }

  knows(step: number): boolean {
    return step >= this.#from;
  }

  /** Continues from a step with each group's values, null before its first update. */
  restore(step: number, values: readonly (CarryValues | null)[]): void {
    this.#from = step;
    this.#trails.forEach((trail, group) => {
      trail.splice(0, trail.length, values[group] ?? undefined);
    });
  }
}
