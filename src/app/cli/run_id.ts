// What shows that files belong together: a run's id stands in each of them that can hold one, and its JSON has the digests
// of the others. The same run has the same id, wherever and whenever it was made.
import { createHash } from "node:crypto";
import type { Results } from "./results.ts";

/** A SHA-256 as hexadecimal digits. */
export function digest(contents: string | Uint8Array): string {
  return createHash("sha256").update(contents).digest("hex");
}

/** The id of a run that came to this: 16 hexadecimal digits. */
export function runId(...parts: readonly unknown[]): string {
  const texts = parts.map((part) => (part instanceof Uint8Array ? digest(part) : JSON.stringify(part)));
  return digest(texts.join("\n")).slice(0, 16);
}

/** An SVG that says whose it is. */
export function signedSvg(svg: string, id: string): string {
  return svg.replace(/>/, `>\n<desc>fallline run ${id}</desc>`);
}

/**
 * Writes the files of a run, its JSON first, since it is small and says most; returns the JSON, which has the id and the
 * digests of the others with it.
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
    /** The digests of what was written before. */
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
