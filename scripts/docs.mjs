// Writes docs/rules.md from the registry of rules. Node runs no TypeScript that imports WGSL, so Vite loads it.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runnerImport } from "vite";

const root = join(import.meta.dirname, "..");
/** @type {{ module: typeof import("../src/lab/rule_table.ts") }} */
const { module } = await runnerImport("/src/lab/rule_table.ts", { root, configFile: false, logLevel: "warn" });
await writeFile(join(root, "docs", "rules.md"), module.ruleTableMarkdown());
