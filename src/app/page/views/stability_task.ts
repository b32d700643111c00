// The task of the stability view: an experiment of the lab.
import type { Findings, Interim } from "../../../lab/experiments/experiment.ts";
import { runExperiment } from "../../../lab/experiments/run.ts";
import { defineTask } from "../task.ts";

/** Milliseconds between two reports of progress. */
const leastPause = 50;

interface LabListeners {
  /** Called now and then with the share that is done; the run waits for what it returns. */
  progress(done: number): Promise<void>;
  interim(interim: Interim): void;
}

export const labTask = defineTask({
  name: "lab",
  async run(
    { name, config }: { readonly name: string; readonly config: Readonly<Record<string, unknown>> },
    listeners: LabListeners,
    engine,
    signal,
  ): Promise<Findings & { readonly seconds: number }> {
    let saidAt = 0;
    const { claims, chart, notes, seconds } = await runExperiment(name, config, {
      engine,
      signal,
      async onProgress(done) {
        if (performance.now() - saidAt < leastPause) return;
        await listeners.progress(done);
        saidAt = performance.now();
      },
      onInterim: ({ chart, rows }) => void listeners.interim({ chart: plain(chart), rows }),
    });
    return { claims, chart: plain(chart), ...(notes ? { notes } : {}), seconds };
  },
});

/** A chart without functions, which cannot be copied; the page's charts format the numbers of axes themselves. */
function plain(chart: Interim["chart"]): Interim["chart"] {
  return JSON.parse(JSON.stringify(chart));
}
