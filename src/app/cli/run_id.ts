// Shows which files belong together: each that can hold it has the run's id, and its JSON has the digests of the others. The same
// run has the same id, wherever and whenever it was made.
import { createHash } from "node:crypto";
import type { Results } from "./results.ts";

/** A SHA-256 as hexadecimal digits. */
export function digest(contents: string | Uint8Array): string {
  return createHash("sha256").update(contents).digest("hex");
}

/** The id of a run with these results: 16 hexadecimal digits. */
export function runId(...parts: readonly unknown[]): string {
  const texts = parts.map((part) => (part instanceof Uint8Array ? digest(part) : JSON.stringify(part)));
  return digest(texts.join("\n")).slice(0, 16);
}

/** An SVG with the id of its run. */
export function signedSvg(svg: string, id: string): string {
  return svg.replace(/>/, `>\n<desc>fallline run ${id}</desc>`);
}

/**
 * Writes the files of a run, its JSON first, since it is small and holds most; returns the JSON, complete with the id and the
 * digests of the others.
 */
export function writeRun<T extends object>(
  results: Results,
  {
    id,
    name,
    json,
    others,
    before = {},
  }: {
    readonly id: string;
    readonly name: string;
    readonly json: T;
    readonly others: ReadonlyMap<string, string | Uint8Array>;
    /** The digests of the files written before. */
    readonly before?: Readonly<Record<string, string>>;
  },
): T & { readonly run: string; readonly files: Readonly<Record<string, string>> } {
  const digests = [...others].map(([other, contents]) => [other, digest(contents)] as const);
  const files = { ...Object.fromEntries(digests), ...before };
  const signed = { ...json, run: id, files };
  results.write(name, `${JSON.stringify(signed, null, 2)}\n`);
  for (const [other, contents] of others) results.write(other, contents);
  return signed;
}
