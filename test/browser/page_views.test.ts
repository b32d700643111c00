// The page's views in a real headless Chrome: the race answers with the numbers that one can check by hand, the cascade finds its
// doublings and is computed anew where one looks closer, and the lab's claims hold on the device.
import { expect, it } from "vitest";
import { expectRest, keepDevices, launchChrome, openPage, serve } from "./chrome.ts";

const address = await serve("dist/page");
const browser = await launchChrome();
const text = (id: string) => `document.getElementById("${id}").textContent`;

it("races: 4 goes to 3.2 at a rate of 0.1, and over −8 to 16 at 1.5; a preset sets your rate, in the address too", async () => {
  const { page, errors } = await openPage(browser, address);
  await page.waitForSelector(".run-3 .places");
  const cards = () => page.$$eval(".run", (all) => all.map((card) => card.textContent ?? ""));
  const [, first, , third, fourth] = await cards();
  expect(first).toMatch(/lr 1\.5diverging.*w: 4 → −8 → 16 → −32/);
  expect(third).toMatch(/lr 0\.1just right.*w: 4 → 3\.2 → 2\.56/);
  expect(fourth).toMatch(/lr 0\.001crawling/);
  await page.evaluate(
    `[...document.querySelectorAll(".presets button")].find((each) => each.textContent === "1.1").click()`,
  );
  await page.waitForFunction(`document.querySelector(".card.run-0").textContent.includes("lr 1.1")`);
  await page.waitForFunction(`location.hash === "#race?lr=1.1"`);
  expect((await cards())[0]).toMatch(/diverging.*4 → −4\.8 → 5\.76/);
  expect(errors).toEqual([]);
  await page.close();
});

it("draws the cascade, and redraws a part of it", { timeout: 240_000 }, async () => {
  const { page, errors } = await openPage(browser);
  await page.setViewport({ width: 1000, height: 1200 });
  await page.goto(`${address}#cascade?settle=500&samples=40`);
  const drawn = () => page.waitForFunction(`${text("status")}.startsWith("40 of 40")`, { polling: 100 });
  await drawn();
  await page.waitForFunction(`${text("doublings")} !== ""`);
  const found = (await page.evaluate(text("doublings"))) as string;
  const onsets = [...found.matchAll(/a cycle of (\d+) from r = ([\d.]+) on/g)].map(([, period, r]) => [
    period,
    Number(r),
  ]);
  expect(onsets.map(([period]) => period).slice(0, 3)).toEqual(["2", "4", "8"]);
  for (const [i, r] of [3, 3.44949, 3.54409].entries())
    expect(Math.abs((onsets[i]![1] as number) - r)).toBeLessThan(0.01);
  // The window of 3, by the mouse. What is said meanwhile may pass between two looks, so the page notes it.
  await page.evaluate(`
    window.said = [];
    new MutationObserver(() => window.said.push(${text("status")})).observe(document.getElementById("status"), { childList: true });
    0`);
  const { x, y, width, height } = (await (await page.$(".picture"))!.boundingBox())!;
  await page.mouse.move(x + 0.85 * width, y + 0.05 * height);
  await page.mouse.down();
  await page.mouse.move(x + 0.9 * width, y + 0.95 * height, { steps: 3 });
  await page.mouse.up();
  await page.waitForFunction(`/from=3\\.8\\d+&to=3\\.8\\d+/.test(location.hash)`);
  await page.waitForFunction(`window.said.includes("settling …") && window.said.at(-1).startsWith("40 of 40")`, {
    polling: 100,
  });
  expect(errors).toEqual([]);
  await page.close();
});

it("runs an experiment with the options of the address: its claims hold; it waits while hidden, and restarts on another device", async () => {
  const { page, errors } = await openPage(browser);
  await page.evaluateOnNewDocument(keepDevices);
  await page.goto(`${address}#stability?experiment=temperature&options=walkers:65536;nosuch:1`);
  await page.waitForSelector("#run:enabled");
  expect(await page.evaluate(text("trouble"))).toMatch(/unknown option "nosuch"; .*; using the defaults/);
  await page.evaluate(`location.hash = "#stability?experiment=temperature&options=walkers:65536"; 0`);
  await page.waitForFunction(`document.querySelector("[name=walkers]").value === "65536"`);
  await page.click("#run");
  await page.waitForFunction(`/^all \\d claims hold/.test(${text("status")})`, { polling: 100 });
  expect(await page.$$eval("[data-ok=true]", (rows) => rows.length)).toBe(6);
  expect(await page.$(".chart canvas")).not.toBeNull();
  // The edge of stability is drawn as it runs, with its numbers; the run can be stopped.
  await page.evaluate(`location.hash = "#stability?experiment=edge&options=looks:60"; 0`);
  await page.waitForFunction(`document.querySelector("[name=looks]")?.value === "60"`);
  await page.click("#run");
  await page.waitForFunction(`Number(document.querySelector(".interim tbody td")?.textContent) > 12`, { polling: 50 });
  const rows = await page.$$eval(".interim tbody tr", (all) => all.map((row) => row.textContent ?? ""));
  expect(rows.map((row) => /^(gradient descent, lr 1\.24|gradient descent, lr 1\.40|heavy ball)/.test(row))).toEqual([
    true,
    true,
    true,
  ]);
  const [, sharpness, edge, share] = await page.$$eval(".interim tbody tr:first-child td", (all) =>
    all.map((cell) => Number(cell.textContent)),
  );
  expect(edge).toBeCloseTo(2 / 1.24, 1);
  expect(sharpness! / edge!).toBeCloseTo(share!, 1);
  const done = () => page.$eval("#view-stability progress", (bar) => (bar as HTMLProgressElement).value);
  const held = await expectRest(page, done);
  await page.waitForFunction(`document.querySelector("#view-stability progress").value > ${held}`, { polling: 50 });
  await page.evaluate("devices.at(-1).destroy()");
  await page.waitForFunction(`${text("trouble")}.startsWith("the GPU device was lost; this restarted on WebGPU on ")`, {
    polling: 50,
  });
  await page.waitForFunction(
    `document.querySelector(".interim tbody td") !== null && ${text("status")} === "running edge …"`,
    {
      polling: 50,
    },
  );
  await page.click("#stop");
  await page.waitForFunction(`${text("status")} === "stopped"`, { polling: 50 });
  expect(errors).toEqual([]);
  await page.close();
});

it("sweeps 16 rates as small pictures, the best of which goes to training", { timeout: 240_000 }, async () => {
  const { page, errors } = await openPage(browser, `${address}#find?model=784-16-10&batch=8&sweep=24`);
  await page.waitForSelector("#sweep:enabled");
  await page.click("#sweep");
  const made = () => page.evaluate(`Number.parseInt(${text("step")})`);
  await page.waitForFunction(`Number.parseInt(${text("step")}) > 0`, { polling: 20 });
  await expectRest(page, made);
  await page.waitForFunction(`/^best is .*; click one to train with it$/.test(${text("status")})`, { polling: 100 });
  expect(await page.$$eval(".multiple", (all) => all.length)).toBe(16);
  expect(await page.$$eval('.multiple[data-state="stopped"]', (all) => all.length)).toBeGreaterThan(4);
  const rate = await page.$eval('.multiple[data-state="best"] span', (span) => span.textContent?.replace("lr ", ""));
  await page.click('.multiple[data-state="best"]');
  await page.waitForSelector("#train:enabled");
  expect(await page.$eval("[name=lr]", (input) => Number((input as HTMLInputElement).value))).toBe(Number(rate));
  expect(errors).toEqual([]);
  await page.close();
});

it("composes a course: blocks move by their buttons, options change it, pasted text is shown or refused", async () => {
  const { page, errors } = await openPage(browser, `${address}#schedules`);
  const types = () => page.$$eval(".blocks h2", (all) => all.map(({ textContent }) => textContent));
  const json = () =>
    page.$eval('[aria-label="the schedule as JSON"]', (area) => JSON.parse((area as HTMLTextAreaElement).value));
  await page.waitForSelector(".blocks h2");
  expect(await types()).toEqual(["linear", "cosine", "cosineRestarts"]);
  // A point of the curve moves by keys and by the mouse, and its block with it.
  await page.focus('[aria-label^="block 1: end"]');
  for (const key of ["ArrowUp", "ArrowRight"] as const) await page.keyboard.press(key);
  expect((await json()).schedules[0].end).toBeGreaterThan(0.1);
  expect((await json()).milestones[0]).toBe(110);
  const grip = (await (await page.$('[aria-label^="block 2: base"]'))!.boundingBox())!;
  const [left, top] = [grip.x + grip.width / 2, grip.y + grip.height / 2];
  await page.mouse.move(left, top);
  await page.mouse.down();
  await page.mouse.move(left + 30, top + 60, { steps: 3 });
  await page.mouse.up();
  await page.waitForFunction(`/"base":0\\.0\\d+/.test(decodeURIComponent(location.hash).split("cosineRestarts")[0])`);
  expect((await json()).schedules[1].base).toBeLessThan(0.09);
  expect((await json()).milestones[0]).toBe(110);
  await page.focus('[aria-label^="block 1: end"]');
  await page.keyboard.press("ArrowLeft");
  expect((await json()).milestones).toEqual([100, 500]);
  await page.click('[aria-label="move block 2 to the left"]');
  expect(await types()).toEqual(["cosine", "linear", "cosineRestarts"]);
  expect(await json()).toMatchObject({
    milestones: [400, 500],
    schedules: [{ type: "cosine" }, { type: "linear" }, {}],
  });
  const paste = async (words: string) => {
    await page.$eval(
      '[aria-label="a schedule as JSON"]',
      (area, given) => {
        (area as HTMLTextAreaElement).value = given;
      },
      words,
    );
    await page.evaluate(
      `[...document.querySelectorAll("button")].find((each) => each.textContent === "show it").click()`,
    );
  };
  await paste('{ "type": "cosine", "base": "<b>" }');
  expect(await page.evaluate(text("trouble"))).toMatch(/base is "<b>"; it must be a finite number/);
  await paste('{ "type": "oneCycle", "max": 0.2, "steps": 300 }');
  expect(await types()).toEqual(["oneCycle"]);
  expect(
    await page.$eval('[aria-label="the schedule as TypeScript"]', (area) => (area as HTMLTextAreaElement).value),
  ).toBe("const lr = schedules.oneCycle({ max: 0.2, steps: 300 });");
  expect(errors).toEqual([]);
  await page.close();
});
