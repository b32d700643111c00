// `npm run size`: the library's size in a page by the parts in use, and the modules that make it up.
import { Command } from "commander";
import { number } from "../src/app/cli/number.ts";
import { readNumber } from "../src/base/options.ts";
import { bundleWithEsbuild, bundleWithVite, gzipped } from "./sizes.ts";
import { sizeCases } from "./suites/size.ts";

const kilobytes = (bytes: number) => (bytes / 1000).toFixed(1).padStart(6);

/** Parses the command line, weighs and prints. */
export async function main(words: readonly string[]): Promise<void> {
  await new Command("size")
    .description("weighs the library in a page by the parts in use, and lists the largest modules")
    .argument("[modules]", "how many modules are listed per case", "15")
    .action(async (modules: string) => weigh(readNumber("modules", number(modules), { min: 0, integer: true })))
    .parseAsync(words);
}

async function weigh(listed: number): Promise<void> {
  for (const { name, limit, modules } of sizeCases) {
    const code = await bundleWithVite(modules.fallline!);
    const { code: other, modules: parts } = await bundleWithEsbuild(modules.fallline!);
    console.log(`${name} (at most ${kilobytes(limit).trim()} kB gzip)`);
    for (const [bundler, text] of [
      ["Vite", code],
      ["esbuild", other],
    ] as const) {
      console.log(`${kilobytes(gzipped(text))} kB gzip, ${kilobytes(text.length)} kB minified by ${bundler}`);
    }
    for (const [path, bytes] of parts.slice(0, listed)) console.log(`  ${kilobytes(bytes)} kB ${path}`);
    console.log(`  ${parts.length} modules\n`);
  }
}
