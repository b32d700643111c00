// Screenshots of every view of the built page in light and dark, as wide as a phone, a laptop and a projector, for people to look
// at: `npm run screenshots` writes them into out/screenshots.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import puppeteer from "puppeteer";
import { preview } from "vite";
import { views } from "../src/app/page/views/index.ts";
import { findChrome } from "./webgpu.mjs";

const root = join(import.meta.dirname, "..");
const folder = join(root, "out", "screenshots");
const widths = [360, 1280, 1920] as const;
const schemes = ["light", "dark"] as const;
/** Work that is pictured when it is finished, besides views at rest: its address, the button that starts it, and its last status. */
const finished = [
  { name: "find-swept", hash: "#find?model=784-16-10&batch=8&sweep=24", start: "#sweep", end: "^best is " },
] as const;
/** Milliseconds that a view gets to draw itself. */
const patience = 1500;

export async function main(): Promise<void> {
  const executablePath = findChrome();
  if (!executablePath) throw new Error("the screenshots need Chrome or Chromium; to install one, run: npm test");
  await mkdir(folder, { recursive: true });
  const server = await preview({
    root,
    configFile: false,
    logLevel: "error",
    build: { outDir: "dist/page" },
    preview: { port: 0, host: "127.0.0.1" },
  });
  const address = server.resolvedUrls!.local[0]!;
  const browser = await puppeteer.launch({
    executablePath,
    headless: true,
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage();
    const picture = async (name: string, draw: () => Promise<unknown>) => {
      for (const scheme of schemes) {
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        for (const width of widths) {
          await page.setViewport({ width, height: Math.round(width < 600 ? 1.8 * width : 0.6 * width) });
          await draw();
          await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true });
        }
      }
      console.log(`out/screenshots/${name}-*.png`);
    };
    const rest = () => new Promise((resolve) => setTimeout(resolve, patience));
    for (const name of [...views.map((each) => each.name), "bench"]) {
      await picture(name, async () => {
        await page.goto("about:blank");
        await page.goto(name === "bench" ? `${address}bench/` : `${address}#${name}`);
        await rest();
      });
    }
    for (const { name, hash, start, end } of finished) {
      await page.goto("about:blank");
      await page.goto(`${address}${hash}`);
      await page.waitForSelector(`${start}:enabled`);
      await page.click(start);
      const ended = `new RegExp(${JSON.stringify(end)}).test(document.getElementById("status").textContent)`;
      await page.waitForFunction(ended, { polling: 100, timeout: 120_000 });
      await picture(name, rest);
    }
  } finally {
    await browser.close();
    await server.close();
  }
}
