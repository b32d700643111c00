// A folder of a test file's own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** An empty folder, which goes when the file's tests, or those of the block around the call, have ended. */
export function ownFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `fallline-${name}-`));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}
