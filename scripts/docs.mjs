// Writes the pages of docs/ that follow from the registries: rules.md, schedules.md, and landscapes.md with its picture; and the
// API reference into dist/api, by typedoc. Node runs no TypeScript that imports WGSL, so Vite loads it.
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runnerImport } from "vite";

const root = join(import.meta.dirname, "..");

/** @param {string} path */
async function load(path) {
  const { module } = await runnerImport(path, { root, configFile: false, logLevel: "warn" });
  return module;
}

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

execFileSync(process.execPath, [join(root, "node_modules", "typedoc", "bin", "typedoc")], {
  cwd: root,
  stdio: "inherit",
});
