// Reading the scalars that stages keep for tensors.
import type { RuleSetLayout } from "./layout.ts";
import { scalarRange } from "./locations.ts";
import type { TensorValues } from "./optimizer.ts";
import type { Store } from "./store.ts";

/** One replica's scalars of a name by tensor, as they are when it is called; undefined if no stage keeps any of this name. */
export function readScalars(
  store: Pick<Store, "fetch">,
  layouts: readonly RuleSetLayout[],
  name: string,
  replica: number,
): Promise<TensorValues> | undefined {
  if (!layouts.some(({ scalars }) => scalars.some((scalar) => scalar.name === name))) return undefined;
  return fetchScalars(store, layouts, name, replica);
}

async function fetchScalars(
  store: Pick<Store, "fetch">,
  layouts: readonly RuleSetLayout[],
  name: string,
  replica: number,
): Promise<TensorValues> {
  const ranges = layouts.map((_, ruleSet) => scalarRange(layouts, ruleSet));
  const { values } = await store.fetch(ranges, replica);
  return Object.fromEntries(layouts.flatMap((layout, ruleSet) => scalarValues(layout, values[ruleSet]!, name) ?? []));
}

/** A scalar's value for each tensor, by name, from one replica's records; undefined if the rule set has none of this name. */
function scalarValues({ places, scalars }: RuleSetLayout, records: Float32Array, name: string) {
  const field = scalars.findIndex((scalar) => scalar.name === name);
  if (field < 0) return undefined;
  const at = (record: number) => record * scalars.length + field;
  return places.map(({ segment }, index) => {
    const record = scalars[field]!.scope === "all" ? 0 : index + 1;
    return [segment.name, records.slice(at(record), at(record) + 1)] as const;
  });
}
