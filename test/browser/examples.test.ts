// The programs of examples/, each in a page of a real headless Chrome: it says what it promises, and logs no error.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HTTPRequest } from "puppeteer";
import { describe, expect, it } from "vitest";
import { promisedBy } from "../examples.ts";
import { launchChrome, openPage, root, serveSources } from "./chrome.ts";

const folder = join(root, "examples");
const pages = readdirSync(folder).filter((name) => name.endsWith(".html"));
const address = await serveSources();
const browser = await launchChrome();

/** What a page's program promises to say. */
function promised(page: string): string {
  const script = page.replace(/html$/, "js");
  const text = readFileSync(join(folder, readdirSync(folder).includes(script) ? script : page), "utf8");
  return promisedBy(text);
}

/** What a CDN would give of the package is what was built. */
function answer(request: HTTPRequest): Promise<void> {
  const path = /^https:\/\/cdn\.jsdelivr\.net\/npm\/fallline\/(.*)/.exec(request.url())?.[1];
  if (!path) return request.continue();
  const headers = { "access-control-allow-origin": "*" };
  return request.respond({ contentType: "text/javascript", headers, body: readFileSync(join(root, path)) });
}

describe("examples", () => {
  it.each(pages)("%s prints what it promises", async (name) => {
    const { page, errors } = await openPage(browser);
    if (name === "script_module.html") {
      await page.setRequestInterception(true);
      page.on("request", (request) => void answer(request));
    }
    await page.goto(`${address}examples/${name}`);
    const expected = promised(name);
    let said: string | null = "";
    const isOver = async () => {
      said = await page.$eval("output", ({ textContent }) => textContent);
      return errors.length > 0 || !/^(?:…|step )/.test(said ?? "");
    };
    await expect.poll(isOver, { timeout: 90_000, interval: 200 }).toBe(true);
    expect([said, ...errors]).toEqual([expected]);
    await page.close();
  });

  it("are all in the table of examples/README.md", () => {
    const table = readFileSync(join(folder, "README.md"), "utf8");
    const named = [...table.matchAll(/^\| \[(\w+)\]/gm)].map(([, name]) => `${name}.html`);
    expect(named.sort()).toEqual([...pages].sort());
  });
});
