// Writes the generated pages of docs/: rules.md, schedules.md and landscapes.md with its picture, from the registries; lab.md with
// the results of its experiments, which run on the CPU if they changed; the commands' output in first_hour.md; and the API
// reference into dist/api, by typedoc. Node runs no TypeScript that imports WGSL, so Vite loads it.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createServer } from "vite";
import { printed } from "./printed.mjs";

const root = join(import.meta.dirname, "..");

// Open until the end: an experiment loads its data when it runs.
const vite = await createServer({
  ...{ root, configFile: false, logLevel: "warn", appType: "custom" },
  server: { middlewareMode: true, hmr: false, watch: null },
  // No page is served.
  optimizeDeps: { noDiscovery: true },
});
/**
 * @param {string} path
 * @returns {Promise<any>}
 */
const load = (path) => vite.ssrLoadModule(path);

/** @type {typeof import("../src/lab/rule_table.ts")} */
const { ruleTableMarkdown } = await load("/src/lab/rule_table.ts");
await writeFile(join(root, "docs", "rules.md"), ruleTableMarkdown());

/** @type {typeof import("../src/lab/schedule_table.ts")} */
const { scheduleTableMarkdown } = await load("/src/lab/schedule_table.ts");
await writeFile(join(root, "docs", "schedules.md"), scheduleTableMarkdown());

/** @type {typeof import("../src/lab/landscape_table.ts")} */
const { landscapeTableMarkdown, landscapesChart } = await load("/src/lab/landscape_table.ts");
await writeFile(join(root, "docs", "landscapes.md"), landscapeTableMarkdown());

/** @type {typeof import("../src/app/cli/chart.ts")} */
const { chartSvg } = await load("/src/app/cli/chart.ts");
await writeFile(join(root, "docs", "landscapes.svg"), chartSvg(landscapesChart()));

/** @type {typeof import("../src/lab/experiments/page.ts")} */
const { isCurrent, labMarkdown } = await load("/src/lab/experiments/page.ts");
/** @type {typeof import("../src/lab/experiments/functions.ts")} */
const { experiments, run } = await load("/src/lab/experiments/functions.ts");
/** @type {typeof import("../src/train/engine.ts")} */
const { cpuEngine } = await load("/src/train/engine.ts");
/** @param {string} name */
const recordOf = (name) => {
  const path = join(root, "docs", "lab", `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
};
await mkdir(join(root, "docs", "lab"), { recursive: true });
for (const experiment of experiments) {
  const { name } = experiment;
  if (isCurrent(experiment, recordOf(name))) continue;
  const { config, backend, claims, chart } = await run(experiment, {}, { engine: cpuEngine() });
  const record = JSON.stringify({ config, backend, claims }, null, 2);
  await writeFile(join(root, "docs", "lab", `${name}.json`), `${record}\n`);
  await writeFile(join(root, "docs", "lab", `${name}.svg`), chartSvg(chart));
}
await writeFile(join(root, "docs", "lab.md"), labMarkdown(recordOf));

// A folder with the examples, in which the commands may write.
const desk = await mkdtemp(join(tmpdir(), "fallline-docs-"));
await symlink(join(root, "examples"), join(desk, "examples"));
const hour = join(root, "docs", "first_hour.md");
const shown = await printed(readFileSync(hour, "utf8"), (args) =>
  promisify(execFile)(process.execPath, [join(root, "dist", "cli.js"), ...args], { cwd: desk }),
);
await writeFile(hour, shown);
await rm(desk, { recursive: true });
await vite.close();

execFileSync(process.execPath, [join(root, "node_modules", "typedoc", "bin", "typedoc")], {
  cwd: root,
  stdio: "inherit",
});
