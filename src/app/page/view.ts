// What a view of the page is: a name, words that say what one sees, fields that say what it can be set to, and the function that
// opens it. The page (main.ts) knows nothing else of its views.
import type { Engine } from "../../train/engine.ts";
import type { Fields, State } from "./fields.ts";

/** What a view is given of the page. */
export interface Page<S> {
  /** What it is set to now. */
  readonly state: S;
  /** Sets something; the controls and the address follow, and so does the view. */
  set(part: Partial<S>): void;
  /** What it runs on; the page says so. */
  engine(): Promise<Engine>;
  /** Aborted when another view is opened: what runs must stop. */
  readonly closed: AbortSignal;
  /** Resolves while the page can be seen, else when it can be seen again. */
  visible(): Promise<void>;
  /** Says how things stand. */
  say(text: string): void;
  /** Says what went wrong, until the next; nothing of an empty text. */
  warn(text: string): void;
  /** Opens another view, set to this. */
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
  /** What one sees and why, in plain words. */
  readonly about: string;
  /** The formula behind it, as `formula` of elements.ts reads it. */
  readonly formula: string;
  /** A question to try. */
  readonly question: string;
  readonly fields: F;
  /** Builds it into an empty element. What goes wrong may be thrown, also later from what `busy` work it starts. */
  open(root: HTMLElement, page: Page<State<F>>): OpenView<State<F>> | Promise<OpenView<State<F>>>;
}

/** A view by its own types, for the page that knows none of them. */
export function defineView<F extends Fields>(view: View<F>): View {
  return view as unknown as View; // its state is read by its own fields alone
}

/** A view before its file is loaded. */
export interface ViewEntry {
  readonly name: string;
  readonly title: string;
  load(): Promise<{ readonly view: View }>;
}
