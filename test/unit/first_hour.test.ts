// A new user's first hour: every command of docs/first_hour.md, one after the other, prints what the document shows.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { printed } from "../../scripts/printed.mjs";
import { ownFolder } from "../folder.ts";
import { fallline, root } from "../run_cli.ts";

const folder = ownFolder("hour");

it("runs as docs/first_hour.md shows it, and is as right on Fisher's irises as his discriminants", async () => {
  const document = readFileSync(join(root, "docs/first_hour.md"), "utf8");
  const ran: string[] = [];
  const shown = await printed(document, async (args) => {
    // What the user writes into the folder where they are goes into another.
    const here = args.map((word) => (/^iris(?:\/|$)/.test(word) ? join(folder, word) : word));
    const { code, stdout, stderr } = await fallline(here);
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    ran.push(args[0]!);
    return { stdout: stdout.replaceAll(`${folder}/`, ""), stderr: stderr.replaceAll(`${folder}/`, "") };
  });
  expect(shown).toBe(document);
  expect(ran.join(" ")).toBe("train predict find-lr sweep train diff schedule train lab");
  const { testAccuracy, dataset } = JSON.parse(readFileSync(join(folder, "iris/run.json"), "utf8"));
  expect(dataset.classNames.toSorted()).toEqual(["setosa", "versicolor", "virginica"]);
  expect(testAccuracy).toBeGreaterThan(0.95);
  expect(shown).toContain("accuracy 98.00 % on 150 rows");
  const said = `test accuracy ${(100 * testAccuracy).toFixed(2)} % on 30 examples`;
  expect(readFileSync(join(root, "README.md"), "utf8")).toContain(
    `train --data examples/iris.csv     # Fisher's irises: ${said}`,
  );
});
