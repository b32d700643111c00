// The last lines of a test run: each test that failed with the first line of its error, then how many passed and failed.
import type { Reporter, TestModule, Vitest } from "vitest/node";

/** How `scripts/test.mjs` recognises a failure. */
const mark = "✗ ";

export default class ClosingLines implements Reporter {
  #leavesOut = false;

  onInit({ config }: Vitest): void {
    this.#leavesOut = config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    const failures = errors.map((error) => firstLine(error));
    for (const module of modules) {
      const where = `${module.project.name} ${module.relativeModuleId}`;
      for (const error of module.errors()) failures.push(`${where}: ${firstLine(error)}`);
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === "passed") passed++;
        // A test that skips itself has failed; one that `-t` leaves out has not.
        else if (state === "skipped" && this.#leavesOut) continue;
        else failures.push(`${where} > ${test.fullName}: ${errors?.[0] ? firstLine(errors[0]) : state}`);
      }
    }
    process.on("exit", () => {
      for (const failure of failures) console.log(mark + failure);
      console.log(`${passed} passed, ${failures.length} failed`);
    });
  }
}

function firstLine(error: unknown): string {
  const text = typeof error === "object" && error !== null && "message" in error ? error.message : error;
  return String(text).split("\n", 1)[0] ?? "";
}
