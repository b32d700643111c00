// The page's address: the open view and the values of its fields, so that a link shows the same again. "#race?lr=0.4&steps=50".
import { OptionError, show } from "../../base/errors.ts";
import { type Fields, parse, print, type State } from "./fields.ts";

/** The contents of the address. */
export interface Place {
  /** The view's name; empty if the address has none. */
  readonly view: string;
  readonly words: URLSearchParams;
}

export function readPlace(hash: string): Place {
  const [view = "", ...rest] = hash.replace(/^#/, "").split("?");
  return { view, words: new URLSearchParams(rest.join("?")) };
}

/** The result of reading an address: a complete state, and a sentence for each word that was refused. */
export interface ReadState<F extends Fields> {
  readonly state: State<F>;
  readonly wrong: readonly string[];
}

/** The state in an address, with defaults for fields that are missing or invalid. */
export function readState<F extends Fields>(fields: F, words: URLSearchParams): ReadState<F> {
  const wrong: string[] = [];
  const state = Object.fromEntries(
    Object.entries(fields).map(([name, each]) => {
      const text = words.get(name);
      if (text === null) return [name, each.default];
      try {
        return [name, parse(name, each, text)];
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        wrong.push(`${error.message} (in the address; using ${print(each.default) || "none"})`);
        return [name, each.default];
      }
    }),
  ) as State<F>; // each value was read by its field, or is its default
  for (const name of new Set(words.keys())) {
    if (!Object.hasOwn(fields, name)) wrong.push(`the address sets ${show(name)}, which this view does not have`);
  }
  return { state, wrong };
}

/** The values of a state that differ from the defaults. */
export function changedOf(fields: Fields, state: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, { default: standard }]) =>
      state[name] === undefined || print(state[name]) === print(standard) ? [] : [[name, state[name]]],
    ),
  );
}

/** The address of a view with these values. */
export function addressOf(view: string, values: Readonly<Record<string, unknown>>): string {
  const words = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, print(value)]));
  const said = words.toString().replaceAll("%2C", ",");
  return said === "" ? `#${view}` : `#${view}?${said}`;
}
