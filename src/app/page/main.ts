// The page's shell: the list of views, the open view with its words and controls, the address that reproduces it, the engine, and
// the page's looks.
import { FalllineError, show } from "../../base/errors.ts";
import { engineLine } from "../../train/engine.ts";
import { addressOf, changedOf, readPlace, readState } from "./address.ts";
import { formula, h } from "./elements.ts";
import { currentEngine } from "./engine.ts";
import { controlsOf } from "./fields.ts";
import { followLooks } from "./looks.ts";
import { refuseMarkup } from "./no_markup.ts";
import { cpuWorkerScript } from "./open_worker.ts";
import type { OpenView, Page, View, ViewEntry } from "./view.ts";
import { views } from "./views/index.ts";
import { visible } from "./visible.ts";

/** The page's service worker. */
const workerScript = "offline.js";

refuseMarkup([workerScript, cpuWorkerScript]);

const element = (id: string) => document.getElementById(id)!;

const links = new Map(views.map(({ name, title }) => [name, h("a", { href: `#${name}` }, title)] as const));
element("views").append(...links.values());

interface Opened {
  readonly entry: ViewEntry;
  /** Null until the view is loaded. */
  set: ((words: URLSearchParams) => void) | null;
  recolor(): void;
  readonly stop: AbortController;
}

let opened: Opened | undefined;

/** Shows a status. */
function say(text: string): void {
  element("status").textContent = text;
}

function warn(text: string): void {
  element("trouble").textContent = text;
  element("trouble").hidden = text === "";
}

/** Shows an error, and rethrows it unless it is fallline's own. */
function showError(error: unknown): void {
  warn(error instanceof Error ? error.message : String(error));
  if (!(error instanceof FalllineError)) throw error;
}

/** Opens the view in the address, or applies the address to the open view. */
async function follow(): Promise<void> {
  const { view: name, words } = readPlace(location.hash);
  const entry = views.find((each) => each.name === name) ?? views[0]!;
  if (opened?.entry === entry) return opened.set?.(words);
  opened?.stop.abort();
  const mine: Opened = { entry, set: null, recolor: () => {}, stop: new AbortController() };
  opened = mine;
  for (const [each, link] of links) {
    if (each === entry.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${entry.title} – fallline`;
  say("");
  warn("");
  const { view } = await entry.load();
  const unknown = `the address names ${show(name)}, which is not a view; this is ${entry.title}`;
  if (opened === mine) await build(view, mine, words, name === "" || name === entry.name ? [] : [unknown]);
}

/** Builds a view into the page. @param unknown Other parts of the address that were not understood. */
async function build(view: View, mine: Opened, words: URLSearchParams, unknown: readonly string[]): Promise<void> {
  const { fields } = view;
  let { state, wrong } = readState(fields, words);
  wrong = [...unknown, ...wrong];
  let open: OpenView<Readonly<Record<string, unknown>>> | undefined;
  let written = location.hash;
  let warning = "";
  // Warnings about the address stay until something is set.
  const showWarnings = () => warn([...wrong, ...(warning ? [warning] : [])].join("; "));
  const update = () => Promise.resolve(open?.update(state)).catch(showError);
  const change = (next: Readonly<Record<string, unknown>>) => {
    state = next;
    wrong = [];
    showWarnings();
    controls.show(state);
    writeSoon(() => {
      if (opened !== mine) return;
      written = addressOf(view.name, changedOf(fields, state));
      history.replaceState(null, "", written);
    });
    update();
  };
  const controls = controlsOf(fields, (name, value) => change({ ...state, [name]: value }));
  mine.set = (asked) => {
    if (location.hash === written) return;
    ({ state, wrong } = readState(fields, asked));
    warning = "";
    showWarnings();
    controls.show(state);
    update();
  };
  mine.recolor = () => open?.recolor?.();
  const page: Page<Readonly<Record<string, unknown>>> = {
    get state() {
      return state;
    },
    set: (part) => change({ ...state, ...part }),
    check: () => controls.check(),
    async engine() {
      const { engine, missing } = await currentEngine();
      element("adapter").textContent = engineLine(engine);
      const banner = element("banner");
      if (missing !== null)
        banner.textContent = `${missing}. This runs on the CPU reference instead, several times slower.`;
      banner.hidden = missing === null;
      return engine;
    },
    closed: mine.stop.signal,
    visible,
    say: (text) => opened === mine && say(text),
    warn(text) {
      warning = text;
      if (opened === mine) showWarnings();
    },
    go(name, asked = {}) {
      location.hash = addressOf(name, asked);
    },
  };
  const root = h("div", { class: "view", id: `view-${view.name}` });
  controls.show(state);
  element("view").replaceChildren(
    h(
      "header",
      { class: "words" },
      h("h1", {}, view.title),
      h("p", {}, view.about),
      h("p", { class: "formula" }, formula(view.formula)),
      h("p", { class: "question" }, h("strong", {}, "Try: "), view.question),
    ),
    ...(controls.element.childElementCount > 0 ? [controls.element] : []),
    root,
  );
  showWarnings();
  try {
    const made = await view.open(root, page);
    if (opened !== mine) return;
    open = made;
    update();
  } catch (error) {
    if (opened === mine) showError(error);
  }
}

/** Milliseconds between changes of the address: browsers limit their rate. */
const writeEvery = 250;
let writing: ReturnType<typeof setTimeout> | undefined;
function writeSoon(write: () => void): void {
  clearTimeout(writing);
  writing = setTimeout(write, writeEvery);
}

document.querySelector(".skip")!.addEventListener("click", (event) => {
  event.preventDefault();
  element("view").focus();
});
followLooks(() => opened?.recolor());
addEventListener("hashchange", () => follow().catch(showError));
await follow().catch(showError);
const { engine } = await currentEngine();
element("adapter").textContent = engineLine(engine);
// Cached for the next visit, with or without a connection, unless the page is served from its sources.
if (import.meta.env.PROD && isSecureContext && "serviceWorker" in navigator) {
  await navigator.serviceWorker.register(workerScript);
}
