// `fallline curvature` on the command line and the CPU reference.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ownFolder } from "../folder.ts";
import { golden } from "../golden.ts";
import { fallline } from "../run_cli.ts";

const folder = ownFolder("curvature");

interface Spectrum {
  readonly id: string;
  readonly largest: readonly number[];
  readonly params: object;
}

const { spectra, edges, ...rest } = golden<{ format: string; spectra: Spectrum[]; edges: object[] }>("curvature.json");
const [, spectrum] = spectra as [Spectrum, Spectrum];
const short = { ...spectrum, trace: undefined, traceOfSquare: undefined, smallest: [] };

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const onCpu = (...args: string[]) =>
  fallline(["curvature", ...args, "--data", "test/golden/digits.json", "--backend", "cpu"]);

describe("fallline curvature", () => {
  it("prints JSON alone, passes what was recorded and fails what was not, with status 1", async () => {
    const wrong = { ...short, id: "wrong", largest: [2 * short.largest[0]!] };
    const bare = { ...short, id: "bare", params: {} };
    const path = file("three.json", { format: rest.format, spectra: [short, wrong, bare] });
    const { code, stdout } = await onCpu(path, "--json");
    const { cases, ...about } = JSON.parse(stdout) as { cases: object[] };
    expect(about).toEqual({ backend: "cpu", adapter: expect.any(Object) });
    expect(cases).toEqual([
      { id: spectrum.id, ok: true, worst: expect.any(Number) },
      { id: "wrong", ok: false, worst: expect.any(Number), error: expect.stringMatching(/^largest\[0\] is 5\.53/) },
      {
        ...{ id: "bare", ok: false, worst: null },
        error: 'params["layer1.weight"] is missing; its shape [64, 6] needs 384',
      },
    ]);
    expect(code).toBe(1);
  });

  it("prints a line a case, and what it does not know on stderr", async () => {
    const path = file("one.json", {
      format: rest.format,
      spectra: [{ ...short, largest: short.largest.slice(0, 2) }],
      others: [],
    });
    const { code, stdout, stderr } = await onCpu(path);
    expect(stdout).toMatch(/^spectrum-64-6-10-silu-meanSquaredError +\d\.\d\de-\d+ {2}pass$/m);
    expect(stdout).toContain("1 of 1 cases pass");
    expect(stderr).toContain("not checked: others");
    expect(code).toBe(0);
  });

  it.each<[string, unknown, string]>([
    ["no JSON", "{", "not JSON"],
    ["another format", { format: "other" }, 'format is "other"; it must be "fallline-curvature/1"'],
    [
      "no cases",
      { format: rest.format },
      "there are no cases; there must be at least one of spectra, edges, lbfgs, pinns",
    ],
    ["an id given twice", { format: rest.format, spectra: [short, short] }, "is given twice; ids must differ"],
    [
      "no rows",
      { format: rest.format, spectra: [{ ...short, rows: 0 }] },
      ".rows is 0; it must be a whole number >= 1",
    ],
    [
      "sharpness of a step that is not there",
      { format: rest.format, edges: [{ ...edges[0], losses: [1], sharpness: [[1, 2]] }] },
      ".sharpness has step 1; there are 1 losses",
    ],
    ["a rate of nothing", { format: rest.format, edges: [{ ...edges[0], lr: 0 }] }, ".lr is 0; it must be > 0"],
  ])("refuses %s with status 2", async (name, content, message) => {
    const { code, stderr } = await onCpu(file(`${name.replaceAll(" ", "_")}.json`, content));
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  it("asks for the rows where none lie beside the file", async () => {
    const path = file("rows.json", { format: rest.format, spectra: [short] });
    const { code, stderr } = await fallline(["curvature", path, "--backend", "cpu"]);
    expect(stderr).toContain("--data must name it, or digits.json must be next to the file");
    expect(code).toBe(2);
  });
});
