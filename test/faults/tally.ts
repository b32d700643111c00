// What a suite of faults tried, what was survived, and an example of each kind that was not.

/** One line of the outcome: many faults of one kind. */
export interface Row {
  /** Such as "mutants of checkpoints". */
  readonly what: string;
  readonly tried: number;
  readonly survived: number;
  /** What became of them, in a few words: "49,120 refused, 880 accepted". */
  readonly how: string;
  readonly seconds: number;
  /** One line for each kind of fault that was not survived. */
  readonly faults: readonly string[];
}

/** Counts faults of one kind. A fault is survived when `survived` or `refused` is called for it, else it is a `fault`. */
export class Tally {
  readonly #what: string;
  readonly #began = performance.now();
  readonly #outcomes = new Map<string, number>();
  readonly #faults = new Map<string, { count: number; readonly example: string }>();
  #tried = 0;

  constructor(what: string) {
    this.#what = what;
  }

  get tried(): number {
    return this.#tried;
  }

  /** A fault that did no harm, and how: "refused", "accepted", "went on" … */
  survived(how: string): void {
    this.#tried++;
    this.#outcomes.set(how, (this.#outcomes.get(how) ?? 0) + 1);
  }

  /** A fault that did harm; `kind` tells kinds apart, the first example of each is kept. */
  fault(kind: string, example: string): void {
    this.#tried++;
    const known = this.#faults.get(kind);
    if (known) known.count++;
    else this.#faults.set(kind, { count: 1, example: example.slice(0, 300) });
  }

  row(): Row {
    const lost = [...this.#faults.values()].reduce((sum, { count }) => sum + count, 0);
    return {
      what: this.#what,
      tried: this.#tried,
      survived: this.#tried - lost,
      how: [...this.#outcomes].map(([how, count]) => `${count.toLocaleString("en")} ${how}`).join(", "),
      seconds: (performance.now() - this.#began) / 1000,
      faults: [...this.#faults].map(([kind, { count, example }]) => `${count} x ${kind}: ${example}`),
    };
  }
}

/** A suite hands over each row as it is done. */
export type Report = (row: Row) => void;
