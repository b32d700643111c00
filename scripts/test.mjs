// `npm test`: types, lint and the three rings of tests, two jobs at a time, and closing lines for all of them: what failed,
// then the counts. With arguments it is `vitest run` with these: `npm test -- --project unit csv`. `npm run test:quick`
// (--quick) is for the edit loop: types, lint, and the unit ring without the files that take longest.
import { execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
/**
 * V8 compiles a function for speed only once it has run about four times as long as by default: tests run most functions a few times, and
 * the unit ring takes 0.85 of the processor time so. A Node whose V8 has no such option does without.
 */
const late = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" }).includes("--interrupt-budget ")
  ? ["--interrupt-budget=500000"]
  : [];
const vitest = [...late, join(root, "node_modules", "vitest", "vitest.mjs")];
const tool = {
  types: [join(root, "node_modules", "typescript-7", "bin", "tsc"), "--noEmit"],
  lint: [require.resolve("@biomejs/biome/bin/biome"), "check", "."],
};

/** Files of the unit ring that need the build, start programs or train for long. */
const long = [
  ...[
    "cli",
    "cli_runs",
    "cli_gradients",
    "cli_predict",
    "cli_schedule",
    "curvature",
    "defaults",
    "faults",
    "first_hour",
    "lab",
    "lbfgs_recorded",
    "lr_finder",
  ],
  ...["programs", "resume", "setup", "shipped", "size", "types", "wgsl"],
];

/**
 * glibc hands no memory back to the system in between: emulated GPUs compile in 0.95 of the time then, since they ask for much and free
 * it again. Other systems do not read this.
 */
const keepMemory = {
  MALLOC_TRIM_THRESHOLD_: String(2 ** 30),
  MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
  MALLOC_TOP_PAD_: String(2 ** 24),
};
const env = { ...keepMemory, ...process.env };

/** @typedef {{ passed: number, failed: number, failures: readonly string[] }} Counts */

/**
 * Runs a Node script, its output mixed line by line with that of the others.
 *
 * @param {readonly string[]} words
 * @param {(line: string) => boolean} show whether a line is shown
 * @param {boolean} [first] whether it goes before the other jobs where the processor is busy
 * @returns {Promise<boolean>} whether it ended well
 */
function run(words, show, first = false) {
  const child = spawn(process.execPath, words, {
    cwd: root,
    env: { ...env, ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (!first && child.pid) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  for (const stream of /** @type {const} */ (["stdout", "stderr"])) {
    createInterface({ input: child[stream] }).on("line", (line) => {
      if (show(line)) process[stream].write(`${line}\n`);
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code) => resolve(code === 0));
  });
}

/**
 * @param {keyof typeof tool} name
 * @returns {Promise<Counts>}
 */
async function check(name) {
  const start = performance.now();
  const ok = await run(tool[name], () => true);
  console.log(`${ok ? "✓" : "✗"} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  return { passed: Number(ok), failed: Number(!ok), failures: ok ? [] : [`✗ ${name}`] };
}

/**
 * @param {string} project
 * @param {readonly string[]} [without] files of it that are left out
 * @returns {Promise<Counts>}
 */
async function ring(project, without = []) {
  /** @type {{ passed: number, failed: number } | undefined} */
  let counts;
  /** @type {string[]} */
  const failures = [];
  const excluded = without.flatMap((name) => ["--exclude", `test/${project}/${name}.test.ts`]);
  const ok = await run(
    [...vitest, "run", "--project", project, ...excluded],
    (line) => {
      // The closing lines of `test/reporter.ts`.
      const closing = /^(\d+) passed, (\d+) failed$/.exec(line);
      if (closing) counts = { passed: Number(closing[1]), failed: Number(closing[2]) };
      const failure = line.startsWith("✗ ");
      if (failure) failures.push(line);
      return !closing && !failure;
    },
    // They take longest.
    project === "browser" || project === "gpu",
  );
  // A ring that ends before it could count, or that exits with an error, has failed.
  if (!counts || (!ok && failures.length === 0)) failures.push(`✗ ${project} ended with an error`);
  return { passed: counts?.passed ?? 0, failed: failures.length, failures };
}

const quick = process.argv[2] === "--quick";
if (process.argv.length > 2 && !quick) {
  const words = [...vitest, "run", ...process.argv.slice(2)];
  const child = spawn(process.execPath, words, { cwd: root, env, stdio: "inherit" });
  child.on("close", (code) => process.exit(code ?? 1));
} else {
  // The longest rings come first; two jobs keep two cores busy, and more take longer together.
  const checks = [() => check("types"), () => check("lint")];
  const jobs = quick
    ? [() => ring("unit", long), ...checks]
    : [() => ring("gpu"), () => ring("browser"), ...checks, () => ring("unit")];
  const all = { passed: 0, failed: 0 };
  /** @type {string[]} */
  const failures = [];
  const work = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      const counts = await job();
      all.passed += counts.passed;
      all.failed += counts.failed;
      failures.push(...counts.failures);
    }
  };
  await Promise.all([work(), work()]);
  for (const line of failures) console.log(line);
  console.log(`${all.passed} passed, ${all.failed} failed`);
  process.exit(all.failed > 0 ? 1 : 0);
}
