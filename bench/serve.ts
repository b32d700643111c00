// The built page of the benchmark: made anew where a source has changed since, and served.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build, preview } from "vite";

export const root = resolve(import.meta.dirname, "..");
const folder = join(root, "dist", "page");

/** Of the sources that the page was made of. It lies among what was made, so that whoever builds otherwise removes it. */
const stamp = join(folder, "bench", "sources.sha256");

/** What the page is made of, by content. */
function sourcesDigest(): string {
  const hash = createHash("sha256");
  const add = (path: string) => {
    if (statSync(path).isDirectory()) {
      // What the benchmark found changes nothing that is built.
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

/** Builds the page unless it is that of the sources as they are. */
export async function buildPage(): Promise<void> {
  const digest = sourcesDigest();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  await build({ root, logLevel: "warn" });
  await writeFile(stamp, digest);
}

export interface Served {
  /** Of the benchmark's page. */
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
