// The page's address: which view is open and what it is set to, so that a link shows the same again. "#race?lr=0.4&steps=50".
import { OptionError, show } from "../../base/errors.ts";
import { type Fields, parse, print, type State } from "./fields.ts";

/** What the address says. */
export interface Place {
  /** The view's name; empty where the address says none. */
  readonly view: string;
  readonly words: URLSearchParams;
}

export function readPlace(hash: string): Place {
  const [view = "", ...rest] = hash.replace(/^#/, "").split("?");
  return { view, words: new URLSearchParams(rest.join("?")) };
}

/** What is read of an address: a state that is whole, and a sentence for each word that could not be taken. */
export interface ReadState<F extends Fields> {
  readonly state: State<F>;
  readonly wrong: readonly string[];
}

/** The state that an address asks for; what it does not say, or says wrongly, is the default. */
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
        wrong.push(`${error.message} (in the address; ${print(each.default)} is taken)`);
        return [name, each.default];
      }
    }),
  ) as State<F>; // each was read by its field, or is its default
  for (const name of new Set(words.keys())) {
    if (!Object.hasOwn(fields, name)) wrong.push(`the address says ${show(name)}, which this view does not know`);
  }
  return { state, wrong };
}

/** What of a state is not as by default. */
export function changedOf(fields: Fields, state: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, { default: standard }]) =>
      state[name] === undefined || print(state[name]) === print(standard) ? [] : [[name, state[name]]],
    ),
  );
}

/** The address of a view set to these values. */
export function addressOf(view: string, values: Readonly<Record<string, unknown>>): string {
  const words = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, print(value)]));
  const said = words.toString().replaceAll("%2C", ",");
  return said === "" ? `#${view}` : `#${view}?${said}`;
}
