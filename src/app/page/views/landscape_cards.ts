// The rules that run from the start as a list of cards, each with its rate and how it ended, and a box that adds one.
import { h } from "../elements.ts";
import type { Page } from "../view.ts";
import type { State } from "./landscape_fields.ts";
import {
  type Ground,
  mostRacers,
  outcomeOf,
  printRacers,
  type Racer,
  racerNames,
  racersOf,
  usualRateOn,
  type Way,
} from "./landscape_runs.ts";

interface Card {
  readonly element: HTMLElement;
  show(index: number, racer: Racer, outcomes: readonly string[], usualRate: number, removable: boolean): void;
}

export class Cards {
  readonly list = h("ol", { class: "ways" });
  readonly adder = h("select", {
    "aria-label": "add a rule",
    onchange: () => {
      const name = this.adder.value;
      if (name !== "") this.#set([...racersOf(this.#page.state.rules), { name }]);
    },
  });
  readonly #page: Page<State>;
  /** Cards are kept as long as their rules, so that a box keeps its focus while typing. */
  #cards = new Map<string, Card>();

  constructor(page: Page<State>) {
    this.#page = page;
  }

  show(state: State, { landscape, basins }: Ground, ways: readonly Way[]): void {
    const chosen = racersOf(state.rules);
    const next = new Map(chosen.map(({ name }) => [name, this.#cards.get(name) ?? this.#cardOf(name)]));
    for (const [index, racer] of chosen.entries()) {
      const outcomes = ways
        .filter(({ racer: { name } }) => name === racer.name)
        .map((way) => {
          const { text } = outcomeOf(way, state.steps, landscape, basins.ends);
          return state.schedule.includes(",") ? `${way.schedule}: ${text}` : text;
        });
      next.get(racer.name)!.show(index, racer, outcomes, usualRateOn(landscape, racer.name), chosen.length > 1);
    }
    if ([...next.keys()].join() !== [...this.#cards.keys()].join())
      this.list.replaceChildren(...[...next.values()].map(({ element }) => element));
    this.#cards = next;
    const others = racerNames.filter((name) => !next.has(name));
    this.adder.replaceChildren(new Option("add a rule …", ""), ...others.map((name) => new Option(name)));
    this.adder.disabled = chosen.length >= mostRacers;
  }

  #set(racers: readonly Racer[]): void {
    this.#page.set({ rules: printRacers(racers) });
  }

  #cardOf(name: string): Card {
    const chosen = () => racersOf(this.#page.state.rules);
    const change = (rate: number | undefined) =>
      this.#set(chosen().map((each) => (each.name !== name ? each : rate === undefined ? { name } : { name, rate })));
    const input = h("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      "aria-label": `learning rate of ${name}`,
      oninput() {
        const text = input.value.trim();
        const rate = text === "" ? undefined : Number(text);
        const isRate = rate === undefined || (rate > 0 && rate <= 1e6);
        input.toggleAttribute("aria-invalid", !isRate);
        if (!isRate) input.setAttribute("aria-invalid", "true");
        if (isRate) change(rate);
      },
    });
    const remove = h(
      "button",
      {
        type: "button",
        class: "remove",
        "aria-label": `remove ${name}`,
        onclick: () => this.#set(chosen().filter((each) => each.name !== name)),
      },
      "×",
    );
    const row = [h("span", { class: "swatch" }), h("strong", {}, name), h("span", {}, "lr"), input, remove];
    const said = h("div", {});
    const element = h("li", {}, h("div", { class: "row" }, ...row), said);
    return {
      element,
      show(index, racer, outcomes, usualRate, removable) {
        element.className = `run run-${index}`;
        remove.disabled = !removable;
        if (document.activeElement !== input) input.value = racer.rate === undefined ? "" : String(racer.rate);
        input.placeholder = String(usualRate);
        said.replaceChildren(...outcomes.map((text) => h("p", { class: "outcome" }, text)));
      },
    };
  }
}
