// The built library: the README's example as it stands there, in Node and in Chrome, and the same numbers in both.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runInThisContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { launchChrome, openPage, readBuilt, root, serve } from "./chrome.ts";

/** The first JavaScript block of the README after this heading. */
function readmeExample(): string {
  const readme = readFileSync(resolve(root, "README.md"), "utf8");
  const block = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
  if (!block) throw new Error("README.md has no ```js block");
  return block;
}

describe("the README's example", () => {
  it("runs in Chrome against the built library and finds the line it promises", async () => {
    const example = readmeExample();
    expect(example.trimEnd().split("\n").length).toBeLessThanOrEqual(30);
    expect(example).toContain('from "fallline"');
    const address = await serve("dist");
    const browser = await launchChrome();
    const { page, errors } = await openPage(browser);
    const logged: string[] = [];
    page.on("console", (message) => logged.push(message.text()));
    // The example is for pages of one's own; ours takes no scripts made of text.
    await page.setBypassCSP(true);
    await page.goto(`${address}page/index.html`);
    const script = example.replaceAll('from "fallline"', `from "${address}lib/src/index.js"`);
    await page.addScriptTag({ type: "module", content: `${script}\nwindow.finished = true;` });
    await page.waitForFunction("window.finished === true", { timeout: 60_000, polling: 100 });
    expect(errors).toEqual([]);
    const promised = /\/\/ → (.*)/.exec(example)?.[1];
    expect(logged.at(-1)).toBe(promised);
  });
});

describe("the built library", () => {
  it("imports only its own files: no runtime dependencies", () => {
    const files = readdirSync(resolve(root, "dist/lib"), { recursive: true, encoding: "utf8" });
    const imports = files
      .filter((name) => name.endsWith(".js"))
      // Examples in docstrings import what they like.
      .map((name) => readBuilt(join("lib", name)).replace(/\/\*[\s\S]*?\*\//g, ""))
      .flatMap((text) => [...text.matchAll(/^(?:[^"=]* from|import) "([^"]+)";$/gm)])
      .map(([, specifier]) => specifier!);
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.filter((specifier) => !specifier.startsWith("."))).toEqual([]);
    const manifest = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8"));
    expect(manifest.dependencies ?? {}).toEqual({});
  });

  it("draws the same numbers in Chrome as in Node, to the bit", async () => {
    const address = await serve("dist");
    const { page } = await openPage(await launchChrome(), `${address}page/index.html`);
    const draw = `(library) => {
      const random = new library.Random(12345, 3);
      const normals = Array.from({ length: 5000 }, () => random.normal());
      const model = library.createModel({ layers: [30, 20, 10] });
      const weights = library.initialTensors(model, { seed: 9 }).map(({ data }) => Array.from(data ?? []));
      return JSON.stringify({ normals, weights, order: Array.from(random.permutation(100)) });
    }`;
    const inChrome = await page.evaluate(`import("${address}lib/src/training.js").then(${draw})`);
    const inNode = runInThisContext(draw)(await import(resolve(root, "dist/lib/src/training.js")));
    expect(inChrome).toBe(inNode);
  });

  it("leaves a caller's pass in Chrome so that a bare dispatch is an error and no second update", async () => {
    const address = await serve("dist");
    const { page } = await openPage(await launchChrome(), `${address}page/index.html`);
    const found = await page.evaluate(`import("${address}lib/src/index.js").then(async (library) => {
      const device = await library.requestDevice();
      const config = library.sgd({ lr: 1 });
      const optimizer = await library.createOptimizer(device, [{ name: "w", shape: [4] }], config);
      optimizer.write("gradients", { w: [1, 1, 1, 1] });
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      optimizer.encode(pass);
      pass.dispatchWorkgroups(1);
      pass.end();
      device.pushErrorScope("validation");
      device.queue.submit([encoder.finish()]);
      const error = await device.popErrorScope();
      optimizer.step();
      const { w } = await optimizer.read();
      return { refused: error !== null, w: Array.from(w) };
    })`);
    expect(found).toEqual({ refused: true, w: [-1, -1, -1, -1] });
  });
});
