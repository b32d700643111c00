// The page's landscape in a real headless Chrome: ways from a start that is clicked or moved by keys, a cloud that ends in its
// minima, the canyon where Adam and SGD part ways, a device that is lost meanwhile, and the same without WebGPU.
import type { Page } from "puppeteer";
import { expect, it } from "vitest";
import { keepDevices, launchChrome, openPage, serve } from "./chrome.ts";

const address = await serve("dist/page");
const browser = await launchChrome();
const text = (id: string) => `document.getElementById("${id}").textContent`;
const flowed = (page: Page) => page.waitForFunction(`${text("status")}.endsWith("steps done")`, { polling: 100 });
const shares = (page: Page) => page.$$eval("#ends li", (all) => all.map((each) => each.textContent ?? ""));
/** How many pixels of a canvas show something, and in how many colours. */
const shown = (page: Page, name: string) =>
  page.evaluate(`(() => {
    const copy = new OffscreenCanvas(128, 128).getContext("2d");
    copy.drawImage(document.querySelector(".map .${name}"), 0, 0, 128, 128);
    const words = new Uint32Array(copy.getImageData(0, 0, 128, 128).data.buffer);
    return [words.filter((word) => word !== 0).length, new Set(words).size];
  })()`) as Promise<[pixels: number, colors: number]>;

it("lets a cloud flow into the four hollows, and draws the paths from a click or a move by keys", async () => {
  const { page, errors } = await openPage(browser);
  await page.setViewport({ width: 1100, height: 1300 });
  await page.goto(`${address}#landscape?steps=60&cloud=4000&times=0.5`);
  await flowed(page);
  expect(await page.evaluate(text("status"))).toMatch(/^4,000 points follow sgd at a rate of 0\.\d+: 60 steps done$/);
  const ends = await shares(page);
  for (const place of ["(3, 2)", "(3.58, −1.85)", "(−2.81, 3.13)", "(−3.78, −3.28)"])
    expect(ends.some((line) => line.includes(place))).toBe(true);
  expect(ends.reduce((sum, line) => sum + Number.parseFloat(line), 0)).toBeCloseTo(100, 0);
  const [pixels, colors] = await shown(page, "cloud");
  expect(pixels).toBe(128 * 128);
  expect(colors).toBeGreaterThan(4);
  expect((await shown(page, "lines"))[0]).toBeGreaterThan(128 * 16);
  expect(await page.$$eval(".way", (all) => all.length)).toBe(4);

  const { x, y, width, height } = (await (await page.$(".map"))!.boundingBox())!;
  await page.mouse.click(x + 0.25 * width, y + 0.25 * height);
  await page.waitForFunction(`/&start=-2\\.5\\d*,2\\.5\\d*/.test(location.hash)`);
  await page.waitForFunction(`document.querySelector(".way.run-0").getAttribute("d").startsWith("M250.")`);
  await page.focus(".map");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(`/&start=-2\\.3\\d*,2\\.5\\d*/.test(location.hash)`);
  expect(errors).toEqual([]);
  await page.close();
});

it("shows where Adam and SGD part ways, with the steps of each; a rule comes and goes", async () => {
  const { page, errors } = await openPage(browser, `${address}#landscape?cloud=4&steps=20`);
  await page.waitForSelector(".way");
  await page.evaluate(`document.querySelector(".presets button").click()`);
  await page.waitForFunction(
    `location.hash.includes("landscape=canyon") && /there within 1e-3/.test(document.querySelector(".ways .run-2").textContent)`,
  );
  const said = await page.$$eval(".ways .run", (all) => all.map((each) => each.textContent ?? ""));
  const [sgd, , adam] = said.map((line) => Number(/after (\d+) steps/.exec(line)?.[1]));
  expect(said[2]).toMatch(/^adam/);
  expect(adam! * 3).toBeLessThan(sgd!);
  await page.select(".card select", "rmsprop");
  await page.waitForFunction(`location.hash.includes("rules=sgd,momentum,adam,rmsprop")`);
  await page.click(`[aria-label="remove sgd"]`);
  await page.waitForFunction(`location.hash.includes("rules=momentum,adam,rmsprop")`);
  expect(errors).toEqual([]);
  await page.close();
});

it("continues when its device is lost, and says so", async () => {
  const { page, errors } = await openPage(browser);
  await page.evaluateOnNewDocument(`${keepDevices}
    // By the page itself: seen from here, the cloud may have flowed to its end.
    document.addEventListener("DOMContentLoaded", () => {
      const watch = new MutationObserver(() => {
        if (!/step \\d+ of 200$/.test(${text("status")})) return;
        watch.disconnect();
        devices.at(-1).destroy();
      });
      watch.observe(document.getElementById("status"), { childList: true });
    });
  `);
  await page.goto(`${address}#landscape?steps=200&cloud=4000`);
  await flowed(page);
  expect(await page.evaluate(text("status"))).toMatch(/^the GPU device was lost; the cloud restarted: 4,000 points/);
  expect((await shown(page, "cloud"))[0]).toBe(128 * 128);
  expect((await shown(page, "lines"))[0]).toBeGreaterThan(128 * 16);
  expect(errors).toEqual([]);
  await page.close();
});

it("draws on the CPU reference without WebGPU, and says that its cloud is smaller; a hostile address is named", async () => {
  const { page, errors } = await openPage(await launchChrome(false));
  await page.goto(
    `${address}#landscape?landscape=rastrigin&steps=5&schedule=no&rules=%3Cb%3E&start=1e99,1&cloud=-1&times=NaN`,
  );
  await flowed(page);
  expect(await page.evaluate(text("status"))).toMatch(
    /^2,500 points \(the CPU reference moves 2,500 in real time\) follow sgd/,
  );
  expect(await page.evaluate(text("banner"))).toMatch(/This runs on the CPU reference instead/);
  expect((await shown(page, "cloud"))[0]).toBe(128 * 128);
  expect((await shown(page, "lines"))[0]).toBeGreaterThan(128 * 16);
  expect(errors).toEqual([]);
  await page.close();
});

it("draws into the device's canvases where it can", async () => {
  const direct = await launchChrome(true, [
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
    "--use-angle=swiftshader",
  ]);
  const { page, errors } = await openPage(direct);
  // Taken for an adapter that is none of those that emulate.
  await page.evaluateOnNewDocument(`
    Object.defineProperty(GPUDevice.prototype, "adapterInfo", {
      get: () => ({ vendor: "some", architecture: "hardware", device: "", description: "" }),
    });
  `);
  await page.goto(`${address}#landscape?landscape=saddle&steps=5&cloud=4000`);
  await flowed(page);
  expect(await page.evaluate(`document.querySelector(".map .cloud").getContext("2d") === null`)).toBe(true);
  // Such a canvas can be seen, not read.
  await page.evaluate(`document.querySelector(".map svg").remove()`);
  const picture = await (await page.$(".map"))!.screenshot({ encoding: "base64" });
  const colors = await page.evaluate(`(async () => {
    const image = Object.assign(new Image(), { src: "data:image/png;base64,${picture}" });
    await image.decode();
    const copy = new OffscreenCanvas(128, 128).getContext("2d");
    copy.drawImage(image, 0, 0, 128, 128);
    return new Set(new Uint32Array(copy.getImageData(0, 0, 128, 128).data.buffer)).size;
  })()`);
  expect(colors).toBeGreaterThan(100);
  expect(errors).toEqual([]);
  await page.close();
});
