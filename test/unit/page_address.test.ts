// The page's address: a link reproduces a state, and what it says wrongly is named and left at its default.
import fc from "fast-check";
import { expect, it } from "vitest";
import { addressOf, changedOf, readPlace, readState } from "../../src/app/page/address.ts";
import { field, select } from "../../src/app/page/fields.ts";
import { choice, number, numbers } from "../../src/lab/experiments/experiment.ts";

const fields = {
  lr: field("rate", number("the rate", 0.4, { above: 0 })),
  rates: field("rates", numbers("other rates", [1.5, 0.1], { above: 0 })),
  rule: select("rule", choice("the rule", ["sgd", "adam w"], "sgd")),
};

it("reproduces any state", () => {
  const rate = fc.double({ min: 1e-300, noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(
      fc.record({ lr: rate, rates: fc.array(rate, { minLength: 1 }), rule: fc.constantFrom("sgd", "adam w") }),
      (state) => {
        const place = readPlace(addressOf("race", changedOf(fields, state)));
        expect(place.view).toBe("race");
        expect(readState(fields, place.words)).toEqual({ state, wrong: [] });
      },
    ),
  );
});

it("leaves out what is as by default, and commas as they are", () => {
  expect(addressOf("race", changedOf(fields, { lr: 0.4, rates: [1.5, 0.1], rule: "sgd" }))).toBe("#race");
  expect(addressOf("race", changedOf(fields, { lr: 0.5, rates: [1, 2], rule: "sgd" }))).toBe("#race?lr=0.5&rates=1,2");
});

it.each([
  ["lr=abc", /^lr is "abc"; it must be a finite number > 0 \(in the address; using 0\.4\)$/],
  ["lr=", /^lr is ""/],
  ["lr=-1", /^lr is -1/],
  ["lr=1e999", /^lr is Infinity/],
  ["rates=1,x", /^rates\[1\] is "x"/],
  ["rates=", /^rates\[0\] is ""/],
  ["rule=<script>", /^rule is "<script>"; it must be one of sgd, adam w/],
  ["nosuch=1", /^the address sets "nosuch", which this view does not have$/],
])("names what is wrong with %s", (words, message) => {
  const { state, wrong } = readState(fields, readPlace(`#race?${words}`).words);
  expect(state).toEqual({ lr: 0.4, rates: [1.5, 0.1], rule: "sgd" });
  expect(wrong).toHaveLength(1);
  expect(wrong[0]).toMatch(message);
});

it("takes any text for an address", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { words } = readPlace(`#race?${text}`);
      const { state } = readState(fields, words);
      expect(Object.keys(state)).toEqual(Object.keys(fields));
    }),
  );
});
