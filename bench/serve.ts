// The built page of the benchmark: rebuilt if a source has changed since, and served.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build, preview } from "vite";

export const root = resolve(import.meta.dirname, "..");
const folder = join(root, "dist", "page");

/** The digest of the page's sources. It is stored with the build, so that any other build removes it. */
const stamp = join(folder, "bench", "sources.sha256");

/** The page's sources, by content. */
function sourcesDigest(): string {
  const hash = createHash("sha256");
  const add = (path: string) => {
    if (statSync(path).isDirectory()) {
      // Results of the benchmark do not change the build.
      for (const entry of readdirSync(path).sort()) if (entry !== "results") add(join(path, entry));
    } else {
      hash.update(`${path}\n`).update(readFileSync(path));
    }
  };
  for (const name of ["src", "shaders", "bench", "index.html", "vite.config.ts", "package.json", "package-lock.json"]) {
    add(join(root, name));
  }
  return hash.digest("hex");
}

/** Builds the page unless it matches the current sources. */
export async function buildPage(): Promise<void> {
  const digest = sourcesDigest();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  await build({ root, logLevel: "warn" });
  await writeFile(stamp, digest);
}

export interface Served {
  /** The address of the benchmark's page. */
  readonly address: string;
  close(): Promise<void>;
}

export async function servePage(): Promise<Served> {
  const server = await preview({
    root,
    configFile: false,
    logLevel: "error",
    build: { outDir: folder },
    preview: { port: 0, host: "127.0.0.1" },
  });
  const address = server.httpServer.address();
  if (typeof address !== "object" || address === null) throw new Error("the preview server has no port");
  return { address: `http://127.0.0.1:${address.port}/bench/`, close: () => server.close() };
}
