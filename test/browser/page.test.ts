// The built page in a real headless Chrome: it finds a rate, falls back to the CPU reference where there is no WebGPU, works from
// its sources, and refuses what its address or its policy does not allow.
import { describe, expect, it } from "vitest";
import { expectRest, fill, launchChrome, openPage, pressKeys, serve, serveSources } from "./chrome.ts";

const address = await serve("dist/page");
const browser = await launchChrome();
const text = (id: string) => `document.getElementById("${id}").textContent`;

describe("the page", () => {
  it("finds a rate: draws the range test's curve, lists its suggestions, and takes the one that is clicked", async () => {
    const { page, errors } = await openPage(browser, `${address}#find?find=40&batch=32&model=784-16-10`);
    await page.waitForSelector("#find-rate:enabled");
    await page.click("#find-rate");
    // Short runs follow the ramp, each of which gives the data to the GPU anew.
    await page.waitForFunction(`document.querySelector("#suggestions .suggested")`, { polling: 100, timeout: 100_000 });
    expect(await page.evaluate(text("step"))).toMatch(/^\d+ \/ 40$/);
    expect(await page.$(".chart canvas")).not.toBeNull();
    const list = await page.$$eval("#suggestions li", (items) => items.map((item) => item.textContent));
    expect(list.map((line) => /^\w+/.exec(line ?? "")?.[0])).toEqual([
      "trial",
      "fall",
      "minimum",
      "steepest",
      "valley",
      "slide",
    ]);
    const suggested = await page.$eval("#suggestions .suggested", (button) => button.textContent ?? "");
    const rate = Number(suggested.split(" ")[1]);
    expect(rate).toBeGreaterThan(1e-5);
    expect(rate).toBeLessThan(1);
    expect(await page.evaluate(text("status"))).toMatch(
      /^(made all 40 steps up to|ended after \d+ of 40 steps: .* at) a rate/,
    );
    // What was found holds for that rule alone.
    await fill(page, { rule: "sgd" });
    expect(await page.$$("#suggestions li")).toEqual([]);
    await fill(page, { rule: "adamw" });
    await page.click("#find-rate");
    // It waits while its tab is hidden.
    await page.waitForFunction(`/^[1-9]\\d? /.test(${text("step")}) && !${text("step")}.startsWith("40")`, {
      polling: 20,
    });
    await expectRest(page, () => page.evaluate(text("step")));
    await page.waitForSelector("#suggestions .suggested");
    // A rate that is taken is trained with.
    await page.click("#suggestions .suggested");
    await page.waitForSelector("#train:enabled");
    expect(await page.$eval("[name=lr]", (input) => Number((input as HTMLInputElement).value))).toBeCloseTo(rate, 6);
    expect(await page.$eval("[name=model]", (input) => (input as HTMLInputElement).value)).toBe("784-16-10");
    await page.goBack();
    await page.waitForSelector("#find-rate:enabled");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("works from its sources too, as npm run dev serves them", async () => {
    const { page, errors } = await openPage(browser, `${await serveSources()}#train?data=digits&steps=6&batch=8`);
    await page.waitForSelector("#train:enabled");
    await page.click("#train");
    await page.waitForFunction(`${text("status")} === "done"`, { polling: 200 });
    expect(await page.evaluate(text("step"))).toBe("6 / 6");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("says what it rejects in its address, and that MNIST could not be fetched", async () => {
    const { page } = await openPage(browser, `${address}#train?rule=nosuch&steps=0&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    expect(await page.evaluate(text("trouble"))).toMatch(
      /^rule is "nosuch"; .* \(in the address; using adamw\); steps is 0; .* \(in the address; using 300\)$/,
    );
    expect(await page.$eval("[name=rule]", (select) => (select as HTMLSelectElement).value)).toBe("adamw");
    // The service worker has a network of its own.
    await page.setBypassServiceWorker(true);
    await page.setOfflineMode(true);
    await page.click("#train");
    await page.waitForFunction(`/^mnist.*\\.idx could not be fetched: .+/.test(${text("status")})`, { polling: 100 });
    await page.waitForSelector("#train:enabled");
    await page.close();
  });

  it.each(["", "bench/"])("refuses what its policy does not allow: /%s", async (path) => {
    const { page, errors } = await openPage(browser, `${address}${path}`);
    const refused = await page.evaluate(async () => {
      const attempts = [
        () => fetch("https://example.com/"),
        () => document.body.insertAdjacentHTML("beforeend", "<b>markup</b>"),
        () => document.head.append(Object.assign(document.createElement("script"), { text: "window.ran = true" })),
        () => new Worker(URL.createObjectURL(new Blob([""]))),
      ];
      return Promise.all(
        attempts.map(async (attempt) => {
          try {
            await attempt();
            return false;
          } catch {
            return true;
          }
        }),
      );
    });
    expect(refused).toEqual([true, true, true, true]);
    expect(await page.evaluate("window.ran")).toBe(undefined);
    expect(errors.filter((text) => text.startsWith("violates the policy: connect-src"))).toHaveLength(1);
    await page.close();
  });

  it("falls back to the CPU reference with a banner where navigator.gpu is missing", async () => {
    const { page, errors } = await openPage(browser);
    await page.evaluateOnNewDocument(`Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined })`);
    await page.goto(`${address}#train?data=digits&steps=4&batch=8`);
    await page.waitForSelector("#train:enabled");
    expect(await page.evaluate(text("banner"))).toMatch(
      /^WebGPU is not available here: navigator\.gpu is missing; .*https.*Chrome.* This runs/,
    );
    expect(await page.$eval("#banner", (banner) => (banner as HTMLElement).hidden)).toBe(false);
    await page.click("#train");
    await page.waitForFunction(`${text("status")} === "done"`, { polling: 200 });
    expect(await page.evaluate(text("adapter"))).toBe("CPU reference in JavaScript");
    expect(await page.evaluate(text("step"))).toBe("4 / 4");
    // It computes in a worker: the page answers meanwhile, and the run can be held, turned and stopped.
    await fill(page, { steps: "5000", batch: "64", model: "64-1024-512-10" });
    await page.click("#train");
    const step = async () => Number.parseInt((await page.evaluate(text("step"))) as string, 10);
    await page.waitForFunction(`Number.parseInt(${text("step")}) > 1 && ${text("step")}.endsWith("5000")`, {
      polling: 50,
    });
    await pressKeys(page);
    await page.click("#pause");
    await page.waitForFunction(`${text("status")}.startsWith("paused before step")`, { polling: 50 });
    const held = await step();
    await page.click("#pause");
    await page.waitForFunction(`Number.parseInt(${text("step")}) > ${held}`, { polling: 50 });
    await page.click("#stop");
    await page.waitForFunction(`${text("status")}.startsWith("stopped after")`, { polling: 50 });
    expect(errors).toEqual([]);
    await page.close();
  });
});
