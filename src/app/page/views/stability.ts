// Stability: the experiments of the lab, each with its options as controls, its findings beside the predictions, and its figure.
import { OptionError, refusal } from "../../../base/errors.ts";
import { short } from "../../../base/short.ts";
import {
  type Claim,
  choice,
  type Experiment,
  type Interim,
  type LabOption,
} from "../../../lab/experiments/experiment.ts";
import { experiments } from "../../../lab/experiments/index.ts";
import { experimentOf } from "../../../lab/experiments/run.ts";
import { ChartBox } from "../chart_box.ts";
import { h } from "../elements.ts";
import {
  type Controls,
  controlsOf,
  type Field,
  type Fields,
  field,
  parse,
  print,
  type State,
  select,
} from "../fields.ts";
import { defineView, type Page } from "../view.ts";
import { labTask } from "./stability_task.ts";
import { perform, Work } from "./work.ts";

/** An experiment's options that differ from the defaults, as in the address: "lr:0.5;steps:300". */
const options: LabOption<string> = {
  meaning: "options of the experiment that are not the defaults",
  kind: "word",
  allowed: "names and values, such as steps:300;seed:2",
  default: "",
  read(name, value) {
    if (typeof value === "string" && /^([a-zA-Z0-9]+:[^;]+(;|$))*$/.test(value)) return value;
    throw refusal(name, value, this.allowed);
  },
};

const fields = {
  experiment: select(
    "experiment",
    choice(
      "what to run",
      experiments.map(({ name }) => name),
      "speed-limit",
    ),
  ),
  options: field("options", options, { type: "none" }),
};
type StabilityState = State<typeof fields>;

export const view = defineView({
  name: "stability",
  title: "What a learning rate does",
  about:
    "A learning rate is the step of Euler's method, with a speed limit of 2/λ, where λ is the largest curvature; beyond it, a " +
    "bifurcation parameter that leads to cycles and chaos; with noise, a temperature. Each experiment predicts its numbers, runs on " +
    "this device, and says whether they agree.",
  formula: "lr < 2/λ",
  question: "Which of the claims fail first with half as many replicas or steps?",
  fields,
  open: (root, page) => openStability(root, page as Page<StabilityState>),
});

/** The fields of an experiment's options. */
function fieldsOf({ options, read }: Experiment): Fields {
  return Object.fromEntries(
    options.map(({ name, kind, ...option }) => {
      const readOne = (_: string, value: unknown) => read({ [name]: value })[name];
      const names = kind === "word" ? option.allowed.split(", ") : undefined;
      const made: Field = field(
        wordsOf(name),
        { ...option, kind, read: readOne },
        names ? { type: "select", names } : { type: "box", wide: kind === "numbers" },
      );
      return [name, { ...made, meaning: `${option.meaning}; ${option.allowed}` }];
    }),
  );
}

/** "maxSteps" as "max steps". */
const wordsOf = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** @throws OptionError for options that the experiment does not take. */
function readOptions(experiment: Experiment, text: string): Readonly<Record<string, unknown>> {
  const known = fieldsOf(experiment);
  const given = text
    .split(";")
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.indexOf(":");
      const [name, value] = [part.slice(0, at), part.slice(at + 1)];
      // The experiment's own reader reports unknown options.
      return [name, Object.hasOwn(known, name) ? parse(name, known[name]!, value) : value] as const;
    });
  return experiment.read(Object.fromEntries(given));
}

function printOptions({ options }: Experiment, values: Readonly<Record<string, unknown>>): string {
  return options
    .filter(({ name, default: standard }) => print(values[name]) !== print(standard))
    .map(({ name }) => `${name}:${print(values[name])}`)
    .join(";");
}

function openStability(root: HTMLElement, page: Page<StabilityState>) {
  const runButton = h("button", { type: "button", class: "primary", id: "run" }, "run");
  const progress = h("progress", { value: 0, max: 1, "aria-label": "progress" });
  const title = h("h2", {});
  const own = h("div", {});
  const claims = h("div", { class: "card scroll" });
  const chart = new ChartBox("What the experiment found", page.closed);
  const figure = h("div", { class: "card", hidden: true }, chart.element);
  const work = new Work(page, [runButton]);
  root.append(title, own, h("div", { class: "row" }, runButton, work.stopButton), progress, claims, figure);

  let experiment: Experiment | undefined;
  /** The options of the address that was shown last. */
  let shown = "";
  let values: Readonly<Record<string, unknown>> = {};
  let controls: Controls | undefined;

  runButton.onclick = () =>
    work.doAnew(async (engine, signal) => {
      controls?.check();
      const [mine, config] = [experiment!, values];
      page.say(`running ${mine.name} …`);
      claims.replaceChildren();
      const listeners = {
        async progress(done: number) {
          progress.value = done;
          await page.visible();
        },
        interim({ chart: drawn, rows }: Interim) {
          figure.hidden = false;
          chart.draw(() => drawn, false);
          claims.replaceChildren(rowsTable(rows));
        },
      };
      const result = await perform(labTask, { name: mine.name, config }, listeners, engine, signal);
      progress.value = 1;
      claims.replaceChildren(tableOf(result.claims), ...(result.notes ?? []).map((note) => h("p", {}, note)));
      figure.hidden = false;
      chart.draw(() => result.chart);
      const failed = result.claims.filter(({ ok }) => !ok).length;
      const all = result.claims.length;
      page.say(
        `${failed === 0 ? `all ${all} claims hold` : `${failed} of ${all} claims fail`}; ${result.seconds.toFixed(1)} s`,
      );
    });

  return {
    update(state: StabilityState) {
      if (experiment?.name !== state.experiment) {
        const mine = experimentOf(state.experiment);
        // Options that stayed as they were are those of the previous experiment.
        const areOther = experiment !== undefined && state.options !== "" && state.options === shown;
        experiment = mine;
        title.textContent = mine.title;
        claims.replaceChildren(h("p", {}, "Not run yet."));
        figure.hidden = true;
        progress.value = 0;
        controls = controlsOf(fieldsOf(mine), (name, value) => {
          values = { ...values, [name]: value };
          page.set({ options: printOptions(mine, values) });
        });
        own.replaceChildren(controls.element);
        if (areOther) return page.set({ options: "" });
      }
      shown = state.options;
      try {
        values = readOptions(experiment, state.options);
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        page.warn(`${error.message}; using the defaults`);
        values = experiment.read({});
      }
      controls!.show(values);
    },
    recolor: () => chart.recolor(),
  };
}

/** A run's numbers so far, a row for each of its curves. */
function rowsTable(rows: Interim["rows"]): HTMLElement {
  const heads = Object.keys(rows[0] ?? {});
  const cell = (value: string | number | undefined, i: number) =>
    i === 0
      ? h("th", { scope: "row" }, value)
      : h("td", {}, typeof value === "number" ? short(Number(value.toPrecision(3))) : value);
  return h(
    "table",
    { class: "interim" },
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...heads.map((head, i) => cell(row[head], i))))),
  );
}

function tableOf(claims: readonly Claim[]): HTMLElement {
  const heads = ["", "claim", "found", "predicted", "difference", "allowance"];
  const digits = (value: number) => String(Number(value.toPrecision(6)));
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    h(
      "tbody",
      {},
      ...claims.map(({ what, found, predicted, allowance, ok }) =>
        h(
          "tr",
          { "data-ok": String(ok) },
          h("td", {}, ok ? "✓" : "✗"),
          h("th", { scope: "row" }, what),
          ...[digits(found), digits(predicted), short(found - predicted), short(allowance)].map((text) =>
            h("td", {}, text),
          ),
        ),
      ),
    ),
  );
}
