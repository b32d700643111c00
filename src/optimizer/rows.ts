// Rows that come and go: how many of a tensor's rows are in use. Engines allocate and compile for all rows that have room, and
// update, sum and save the rows in use.

import { OptionError } from "../base/errors.ts";
import { readNumber, readNumbers } from "../base/options.ts";
import { together } from "../base/together.ts";
import type { Segment } from "./arena.ts";
import { factoredView, type Place, slotRange } from "./layout.ts";
import { locationOf, mustAllow, type Range } from "./locations.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Plan, RuleSet } from "./plan.ts";
import { type Inside, insideOf } from "./shell.ts";
import type { Fetched, Write } from "./store.ts";
import { named, RowSource } from "./table.ts";

/**
 * Uses only the first `rows` rows of a tensor from the next step on. Its shape at creation is the room for rows; at first all are
 * in use. Unused rows get no update, count in no norm, sum or mean, and are neither read nor saved: in `segments`, `read`,
 * `write` and checkpoints `rows` is the tensor's first dimension. A step computes, to the bit, the same as for a tensor of so
 * many rows; only sums over several tensors, if there is room for more chunks of 4,096 elements than are in use, and sums along
 * the lines of matrices may be added up in another order.
 *
 * Rows that come into use start with the state of a new tensor; bias correction and the tensor's scalars go on. Nothing is
 * compiled or moved, and a step takes no longer. Steps that are encoded but not yet submitted take the rows in use when they run.
 * Await it before the next call.
 *
 * @param name The tensor.
 * @param rows A whole number from 1 to the first dimension of the tensor's shape.
 * @param values Parameters of the rows that come into use, in every replica: one number for each of their elements. Default:
 *   the values there, at first `data` or zeros, later those left by earlier rows.
 * @throws OptionError for an unknown tensor, more rows than there is room for, values that do not fill the new rows, and tensors
 * whose number of rows cannot change: a scalar, one under a rule that makes matrices orthogonal (muon), stacks of matrices under
 * a factored slot (adafactor), and one with a slot that is not stored as float32. Nothing is changed then.
 */
export async function setRows(
  optimizer: Optimizer,
  name: string,
  rows: number,
  values?: ArrayLike<number>,
): Promise<void> {
  const inside = insideOf(optimizer);
  const { plan, layouts, segments, store, locate, forget } = inside;
  store.mustLive("setRows");
  const params = locationOf(locate("params"), "setRows", name);
  const index = segments.indexOf(params.segment);
  const home = layouts.findIndex(({ places }) => places.some((place) => place.index === index));
  const layout = layouts[home]!;
  const room = layout.places.find((place) => place.index === index)!;
  mustGoByRows(plan.ruleSets[home]!, room);
  const [most, ...row] = room.segment.shape as [number, ...number[]];
  readNumber(`setRows: the rows of tensor "${name}"`, rows, { min: 1, max: most, integer: true });
  const before = layout.used[room.at]!;
  const shape = Object.freeze([rows, ...row]);
  const segment = Object.freeze({ ...room.segment, shape, length: (room.segment.length / most) * rows });
  const after = placeOf(plan, room, segment);
  const added = Math.max(0, after.segment.length - before.segment.length);
  if (values !== undefined && readNumbers("setRows: values", values).length !== added) {
    throw new OptionError(
      `setRows: values has ${values.length} elements; the new rows of tensor "${name}" hold ${added}`,
    );
  }
  const writes = added > 0 ? await begin(inside, home, before, after, values && Float32Array.from(values)) : [];
  store.mustLive("setRows");
  store.write(writes);
  layout.used[room.at] = after;
  segments[index] = after.segment;
  forget();
  store.recut();
}

function mustGoByRows({ rule, slots }: RuleSet, { segment, factored }: Place): void {
  const coded = slots.find((slot) => rule.formats?.[slot]?.encode);
  const why =
    (segment.shape.length === 0 && "it is a scalar") ||
    (rule.orthogonalises && `rule "${rule.name}" takes it as a whole matrix`) ||
    (factored && factored.batch > 1 && `rule "${rule.name}" takes it as a stack of matrices`) ||
    (coded && `rule "${rule.name}" stores slot "${coded}" as ${rule.formats![coded]!.name}`);
  if (why) throw new OptionError(`setRows: tensor "${segment.name}" has a fixed number of rows: ${why}`);
}

/** A tensor's place, cut to the rows in use. */
function placeOf({ modifiers }: Plan, room: Place, segment: Segment): Place {
  const lines = Object.entries(room.lines).map(([block, { offset }]) => {
    const { linesOf } = modifiers.find((modifier) => modifier.lines === block)!;
    return [block, { ...linesOf!(segment)!, offset }];
  });
  return { ...room, segment, factored: room.factored && factoredView(segment.shape), lines: Object.fromEntries(lines) };
}

/** The initial contents of new rows: the given parameters, fresh slots, and no accumulated gradients. */
async function begin(
  inside: Inside,
  home: number,
  before: Place,
  after: Place,
  given: Float32Array<ArrayBuffer> | undefined,
): Promise<readonly Write[]> {
  const { plan, layouts, store, locate } = inside;
  const { rule, slots } = plan.ruleSets[home]!;
  const layout = layouts[home]!;
  const count = after.segment.length - before.segment.length;
  const gained = (range: Range, from = before.segment.length, length = count): Range => ({
    ...range,
    offset: range.offset + from,
    length,
  });
  const params = locationOf(locate("params"), "setRows", after.segment.name);
  const starts = slots.map((slot) => (rule.slots.includes(slot) ? (rule.starts?.[slot] ?? 0) : "p"));
  // Needed unless all start at constants: the existing parameters, or a column of the next row.
  const asks = starts.some((start) => typeof start === "string" && !(start === "p" && given));
  if (asks) mustAllow(params, "COPY_SRC", "setRows");
  if (given) mustAllow(params, "COPY_DST", "setRows");

  const ofReplica = async (replica: number): Promise<readonly Write[]> => {
    const fetched = asks ? await store.fetch([gained(params)], replica) : undefined;
    const numbers = (start: number | string, length: number) => {
      if (start === "p") return given ?? fetched!.values[0]!;
      const value = typeof start === "number" ? start : nextRow(inside, home, after, replica, fetched!)[start]!;
      return new Float32Array(length).fill(value);
    };
    const state = slots.map((slot, i): Write => {
      const range = { home: { kind: "state", index: home }, stride: layout.stateLength } as const;
      const from = slotRange(layout, before, slot).length;
      const { length, ...place } = slotRange(layout, after, slot);
      const its = gained({ ...range, ...place, length }, from, length - from);
      return { range: its, replica, values: numbers(starts[i]!, its.length) };
    });
    const arenas = [
      ...(given ? [{ range: gained(params), values: given }] : []),
      ...(plan.accumulate > 1
        ? [
            {
              range: gained(locationOf(locate("accumulated"), "setRows", after.segment.name)),
              values: numbers(0, count),
            },
          ]
        : []),
    ];
    return [...state, ...arenas.map((write) => ({ ...write, replica }))];
  };
  const writes = await together(Array.from({ length: plan.replicas }, (_, replica) => ofReplica(replica)));
  return writes.flat();
}

/** The row of a tensor's next update. */
function nextRow(
  { plan, hypers }: Inside,
  home: number,
  { group }: Place,
  replica: number,
  { record, past }: Fetched,
): Readonly<Record<string, number>> {
  const { step } = record;
  const { carried, made } = past();
  const source = new RowSource(plan, hypers, plan.ruleSets[home]!, replica);
  source.restore(step, carried[home]!, made[home]!);
  return named(source, source.row(group, step));
}
