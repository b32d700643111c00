// The type of a view of the page: a name, words that explain it, fields for its settings, and the function that opens it. The page
// (main.ts) knows nothing else of its views.
import type { Engine } from "../../train/engine.ts";
import type { Fields, State } from "./fields.ts";

/** The page as a view sees it. */
export interface Page<S> {
  /** The current values of its fields. */
  readonly state: S;
  /** Sets some of its fields; the controls, the address and the view follow. */
  set(part: Partial<S>): void;
  /** @throws OptionError where a field shows a text that is not its value: what is started now would run with another. */
  check(): void;
  /** The engine it runs on, which the page shows. */
  engine(): Promise<Engine>;
  /** Aborted when another view is opened: what runs must stop. */
  readonly closed: AbortSignal;
  /** Resolves while the page can be seen, else when it can be seen again. */
  visible(): Promise<void>;
  /** Shows a status. */
  say(text: string): void;
  /** Shows a warning until the next; an empty text removes it. */
  warn(text: string): void;
  /** Opens another view with these values. */
  go(view: string, state?: Readonly<Record<string, unknown>>): void;
}

/** A view that is open. */
export interface OpenView<S> {
  /** Follows a new state. */
  update(state: S): void | Promise<void>;
  /** Follows the page's colours, where it draws with its own. */
  recolor?(): void;
}

export interface View<F extends Fields = Fields> {
  readonly name: string;
  readonly title: string;
  /** What the view shows and why, in plain words. */
  readonly about: string;
  /** The formula behind it, as `formula` of elements.ts reads it. */
  readonly formula: string;
  /** A question to try. */
  readonly question: string;
  readonly fields: F;
  /** Builds it into an empty element. Errors may be thrown, also later by the work that it starts. */
  open(root: HTMLElement, page: Page<State<F>>): OpenView<State<F>> | Promise<OpenView<State<F>>>;
}

/** Defines a view by its own types, for the page, which does not know them. */
export function defineView<F extends Fields>(view: View<F>): View {
  return view as unknown as View; // its state is read by its own fields alone
}

/** A view before its file is loaded. */
export interface ViewEntry {
  readonly name: string;
  readonly title: string;
  load(): Promise<{ readonly view: View }>;
}
