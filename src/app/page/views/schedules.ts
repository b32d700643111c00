// Schedules: the course of a learning rate as blocks, each a schedule of the registry with its options, in an order set by
// dragging; all schedules of the registry to start from; and the whole course as JSON and as TypeScript.
import { DataError, FalllineError, OptionError } from "../../../base/errors.ts";
import type { LabOption } from "../../../lab/experiments/experiment.ts";
import { Curves } from "../curves.ts";
import { h, svg } from "../elements.ts";
import { field, type State } from "../fields.ts";
import { Handles } from "../handles.ts";
import { defineView, type Page } from "../view.ts";
import {
  type Block,
  composed,
  create,
  curvesOf,
  exampleOf,
  firstBlocks,
  mostBlocks,
  readBlocks,
  scheduleTypes,
  typescriptOf,
} from "./schedule_blocks.ts";
import { BlockCards } from "./schedule_cards.ts";
import { handlesOf } from "./schedule_handles.ts";

/** The blocks in the address. */
const blocksOption: LabOption<string> = {
  meaning: "the blocks of the schedule, as JSON",
  kind: "word",
  allowed: "a list of blocks, or a schedule, as JSON",
  default: JSON.stringify(firstBlocks),
  read(name, value) {
    try {
      readBlocks(String(value));
    } catch (error) {
      if (!(error instanceof FalllineError)) throw error;
      throw new OptionError(`${name}: ${error.message}`, { cause: error });
    }
    return String(value);
  },
};

const fields = { blocks: field("blocks", blocksOption, { type: "none" }) };
type SchedulesState = State<typeof fields>;

export const view = defineView({
  name: "schedules",
  title: "A rate over a run",
  about:
    "A rate that is right at the start is not right at the end: a short warm-up keeps the first steps from doing damage, a high " +
    "rate covers ground, and a falling one lets the noise die down. Build a schedule from blocks: drag the points of the curve or use " +
    "the arrow keys, drag blocks into another order, and take the result as JSON, as TypeScript, or to training.",
  formula: "lr_t = min + ( base − min ) · {1 + cos {π t / T}}/2",
  question: "How many steps does a second warm-up after each restart cost, and where would the loss gain?",
  fields,
  open: (root, page) => openSchedules(root, page as Page<SchedulesState>),
});

function openSchedules(root: HTMLElement, page: Page<SchedulesState>) {
  const curves = Array.from({ length: mostBlocks }, (_, i) => ({
    label: `block ${i + 1}`,
    color: `run-${i}`,
    width: 3,
  }));
  const plot = new Curves({ title: "The rate by step", x: "step", y: "rate", curves, height: 22 }, page.closed);
  const handles = new Handles(plot);
  const current = () => readBlocks(page.state.blocks);
  const set = (blocks: readonly Block[]) => {
    page.warn("");
    page.set({ blocks: JSON.stringify(blocks) });
  };
  const cards = new BlockCards({ current, set, warn: (text) => page.warn(text) });
  const said = h("p", { class: "why", id: "observes" });
  const json = h("textarea", { rows: 7, readonly: true, "aria-label": "the schedule as JSON" });
  const typescript = h("textarea", { rows: 7, readonly: true, "aria-label": "the schedule as TypeScript" });
  const pasted = h("textarea", {
    rows: 4,
    "aria-label": "a schedule as JSON",
    placeholder: '{ "type": "oneCycle", "max": 0.1, "steps": 1000 }',
  });
  root.append(
    h("section", { class: "card" }, plot.element, said),
    cards.element,
    h("details", { class: "card" }, h("summary", {}, "add a block: all schedules"), gallery(add)),
    h(
      "div",
      { class: "pair" },
      textCard(
        "JSON",
        button("copy", () => copy(json, page)),
        json,
      ),
      textCard(
        "TypeScript",
        button("copy", () => copy(typescript, page)),
        typescript,
      ),
      textCard("Paste one", button("show it", paste), pasted),
    ),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "primary", id: "to-train", onclick: train }, "train with this"),
    ),
  );

  function add(block: Block): void {
    const blocks = current();
    if (blocks.length === mostBlocks) page.warn(`there can be at most ${mostBlocks} blocks`);
    else set([...blocks, block]);
  }

  /** Sets the blocks after a point was moved by pointer or key; shows an error if they are invalid together. */
  function put(blocks: readonly Block[]): void {
    try {
      for (const [i, { schedule }] of blocks.entries()) create(schedule, `block ${i + 1}`);
      set(blocks);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      page.warn(error.message);
    }
  }

  function paste(): void {
    try {
      set(readBlocks(pasted.value));
      page.say("shown");
    } catch (error) {
      if (!(error instanceof OptionError || error instanceof DataError)) throw error;
      page.warn(error.message);
    }
  }

  function train(): void {
    const blocks = current();
    const steps = blocks.reduce((sum, block) => sum + block.steps, 0);
    page.go("train", { schedule: JSON.stringify(composed(blocks)), steps });
  }

  return {
    update({ blocks: text }: SchedulesState) {
      const blocks = readBlocks(text);
      const [steps, ...values] = curvesOf(blocks);
      plot.draw([steps!, ...curves.map((_, i) => values[i] ?? steps!.map(() => null))]);
      handles.show(
        handlesOf(blocks).map(({ block, moved, ...rest }) => ({
          ...rest,
          color: `run-${block}`,
          put: (x, y) => put(moved(x, y)),
        })),
      );
      const whole = composed(blocks);
      json.value = JSON.stringify(whole, null, 2);
      typescript.value = `const lr = ${typescriptOf(whole)};`;
      const observed = [...new Set(create(whole, "schedule").listeners?.map(({ of }) => of) ?? [])];
      said.textContent =
        observed.length > 0
          ? `It observes the ${observed.join(" and the ")} of a run: the curve shows it before any observation.`
          : "";
      cards.show(blocks, text);
    },
    recolor: () => plot.recolor(),
  };
}

const button = (text: string, onclick: () => void) => h("button", { type: "button", onclick }, text);

function textCard(title: string, action: HTMLElement, area: HTMLTextAreaElement): HTMLElement {
  return h("section", { class: "card" }, h("div", { class: "row" }, h("h2", {}, title), action), area);
}

async function copy(area: HTMLTextAreaElement, page: Pick<Page<SchedulesState>, "say">): Promise<void> {
  try {
    await navigator.clipboard.writeText(area.value);
    page.say("copied");
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    area.select();
    page.say("this browser does not let pages copy; the text is selected");
  }
}

/** A button for each schedule of the registry. */
function gallery(add: (block: Block) => void): HTMLElement {
  const samples = scheduleTypes.map((type) => {
    const block = exampleOf(type, 250);
    return h("button", { type: "button", class: "sample", onclick: () => add(block) }, thumbnail(block), type);
  });
  return h("div", { class: "gallery" }, ...samples);
}

/** A block's curve as a thumbnail. */
function thumbnail(block: Block): SVGElement {
  const [width, height] = [96, 40];
  const [, values] = curvesOf([block], 96);
  const numbers = values!.map((value) => value ?? 0);
  const top = Math.max(...numbers) || 1;
  const points = numbers.map(
    (value, i) =>
      `${((i * width) / Math.max(1, numbers.length - 1)).toFixed(1)},${(height - 2 - (value / top) * (height - 6)).toFixed(1)}`,
  );
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    svg("polyline", { class: "stamp", points: points.join(" ") }),
  );
}
