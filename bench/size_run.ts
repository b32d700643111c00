// `npm run size`: the library's size in a page by the parts in use, and the modules that make it up.
import { bundleWithEsbuild, bundleWithVite, gzipped } from "./sizes.ts";
import { sizeCases } from "./suites/size.ts";

const kilobytes = (bytes: number) => (bytes / 1000).toFixed(1).padStart(6);

/** `npm run size [-- MODULES]`: the number of modules listed per case, default 15. */
export async function main([, , listed = "15"]: readonly string[]): Promise<void> {
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
    for (const [path, bytes] of parts.slice(0, Number(listed))) console.log(`  ${kilobytes(bytes)} kB ${path}`);
    console.log(`  ${parts.length} modules\n`);
  }
}
