// What a rate forgets. A network that has learnt the digits 0 to 4 continues with 5 to 9 alone. Small steps follow the gradient
// flow of the second task, and how far they get is rate · steps: the larger the rate, the more is learnt of the second task and
// forgotten of the first (McCloskey and Cohen 1989), and twice the rate gets as far in half the steps.
import { everyRow } from "../../objectives/data/dataset.ts";
import { uciDigits } from "../../objectives/data/uci_digits.ts";
import { createModel } from "../../objectives/models/index.ts";
import { mlp } from "../../objectives/models/mlp.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { spaced } from "../sweep.ts";
import { absolute, atLeast, defineExperiment, mustNotDiverge, number, relative, whole } from "./experiment.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** The rate at which the first task is learnt, and in how many steps. */
const [firstRate, firstSteps] = [0.2, 100];

export const retention = defineExperiment({
  name: "retention",
  title: "Of two tasks in sequence, a larger rate learns more of the second and forgets more of the first",
  options: {
    highest: number("the largest rate", 0.05, { min: 0.01, max: 0.1 }),
    steps: whole("steps on the second task", 40, { min: 10, max: 200 }),
    rows: whole("rows of each task", 160, { min: 100, max: 800 }),
    width: whole("hidden units", 32, { min: 16, max: 128 }),
    replicas: whole("rates run side by side", 8, { min: 4, max: 64 }),
  },
  // Forward, and backward for weights and for their inputs.
  cost: ({ steps, rows, width, replicas }) => 3 * (firstSteps + replicas * steps) * rows * width * (64 + 10),
  async run({ highest, steps, rows, width, replicas, seed }, lab) {
    const data = await uciDigits();
    const model = createModel(mlp([data.features, width, 10], { activation: "tanh" }));
    const all = everyRow(data);
    const [first, second] = [
      all.filter((row) => data.labels[row]! < 5).slice(0, rows),
      all.filter((row) => data.labels[row]! >= 5).slice(0, rows),
    ] as const;
    const options = { data, batch: rows, start: { type: "glorotNormal", seed } as const };
    const learnt = await using(trainee(lab, model, sgd({ lr: firstRate }), options), async (made) => {
      await makeSteps(made, firstSteps, (step) => lab.progress((0.2 * step) / firstSteps), first);
      const [loss] = await made.objective.gradient(first);
      return { params: await made.optimizer.read(), loss: mustNotDiverge("the first task", loss!, firstSteps) };
    });
    const rates = spaced({ min: highest / 50, max: highest }, replicas);
    const run = (chosen: readonly number[], count: number, done: number) =>
      using(trainee(lab, model, sgd({ replicas: chosen.map((lr) => ({ lr })) }), options), async (made) => {
        made.optimizer.write("params", learnt.params);
        const before = await made.objective.gradient(second);
        await makeSteps(made, count, (step) => lab.progress(done + (0.4 * step) / count), second);
        const [old, fresh] = [await made.objective.gradient(first), await made.objective.gradient(second)];
        return chosen.map((rate, i) => ({
          rate,
          forgotten: mustNotDiverge(`rate ${rate}`, old[i]!, count) - learnt.loss,
          learnt: mustNotDiverge(`rate ${rate}`, before[i]! - fresh[i]!, count),
        }));
      });
    const full = await run(rates, steps, 0.2);
    const half = await run([(rates[0]! * steps) / Math.floor(steps / 2)], Math.floor(steps / 2), 0.6);
    const falls = (values: readonly number[]) => values.filter((value, i) => i > 0 && value <= values[i - 1]!).length;
    return {
      claims: [
        absolute(
          "rates that forget no more of the first task than the next lower one",
          falls(full.map((each) => each.forgotten)),
          0,
          0,
        ),
        absolute(
          "rates that learn no more of the second task than the next lower one",
          falls(full.map((each) => each.learnt)),
          0,
          0,
        ),
        relative("forgotten at twice the lowest rate in half the steps", half[0]!.forgotten, full[0]!.forgotten, 0.1),
        relative("learnt at twice the lowest rate in half the steps", half[0]!.learnt, full[0]!.learnt, 0.1),
        atLeast("forgotten at the largest rate", full[replicas - 1]!.forgotten, 2 * full[0]!.forgotten),
      ],
      chart: labChart({
        title: `Both tasks after ${steps} steps on the digits 5 to 9, by the rate`,
        panels: [
          {
            x: { name: "learning rate", log: true },
            y: { name: "change in loss" },
            curves: [
              { name: "forgotten, 0 to 4", points: full.map(({ rate, forgotten }) => [rate, forgotten]) },
              { name: "learnt, 5 to 9", points: full.map(({ rate, learnt: gain }) => [rate, gain]) },
            ],
          },
        ],
      }),
    };
  },
});
