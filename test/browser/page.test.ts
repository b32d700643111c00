// The built page in a real headless Chrome: it trains on the GPU, falls back to the CPU reference where there is no
// WebGPU, and refuses bad input in its own words.
import { describe, expect, it } from "vitest";
import { launchChrome, openPage, serve, serveSources } from "./chrome.ts";

const address = await serve("dist/page");
const browser = await launchChrome();
const text = (id: string) => `document.getElementById("${id}").textContent`;

describe("the page", () => {
  it("trains 20 steps on the GPU: the loss falls, nothing is logged as an error, no GPU error goes uncaught", async () => {
    const { page, errors } = await openPage(browser);
    await page.setViewport({ width: 1000, height: 900 });
    await page.goto(`${address}?steps=20&batch=64`);
    await page.waitForSelector("#train:enabled");
    expect(await page.evaluate(text("adapter"))).toMatch(/^WebGPU on .+/);
    expect(await page.$eval("#banner", (banner) => (banner as HTMLElement).hidden)).toBe(true);
    // Every loss the page shows, in order.
    await page.evaluate(`
      window.shown = [];
      new MutationObserver(() => ${text("loss")} !== "–" && window.shown.push(Number(${text("loss")})))
        .observe(document.getElementById("loss"), { childList: true });
    `);
    await page.click("#train");
    await page.waitForFunction(`${text("status")} === "done"`, { timeout: 110_000, polling: 200 });
    const losses = (await page.evaluate("window.shown")) as number[];
    expect(losses).toHaveLength(20);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(losses.slice(-4))).toBeLessThan(0.5 * mean(losses.slice(0, 4)));
    expect(await page.evaluate(text("step"))).toBe("20 / 20");
    expect(Number.parseFloat((await page.evaluate(text("accuracy"))) as string)).toBeGreaterThan(60);
    expect(await page.$("#chart canvas")).not.toBeNull();
    expect(errors).toEqual([]);
    await page.close();
  });

  it("can be stopped, and trained again", async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${address}?steps=5000&batch=8&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    for (let round = 0; round < 2; round++) {
      await page.click("#train");
      await page.waitForFunction(`Number.parseInt(${text("step")}) > 5`, { polling: 100 });
      await page.click("#stop");
      await page.waitForFunction(`${text("status")}.startsWith("stopped after")`, { polling: 100 });
      await page.waitForSelector("#train:enabled");
    }
    expect(errors).toEqual([]);
    await page.close();
  });

  it("finds a rate: draws the range test's curve, lists its suggestions, and takes the one that is clicked", async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${address}?find=40&batch=32&model=784-16-10`);
    await page.waitForSelector("#find-rate:enabled");
    await page.click("#find-rate");
    await page.waitForFunction(`document.querySelector("#suggestions .suggested")`, { polling: 100 });
    expect(await page.evaluate(text("step"))).toMatch(/^\d+ \/ 40$/);
    expect(await page.$("#chart canvas")).not.toBeNull();
    const list = await page.$$eval("#suggestions li", (items) => items.map((item) => item.textContent));
    expect(list.map((line) => /^\w+/.exec(line ?? "")?.[0])).toEqual(["minimum", "steepest", "valley", "slide"]);
    const suggested = await page.$eval("#suggestions .suggested", (button) => button.textContent ?? "");
    const rate = Number(suggested.split(" ")[1]);
    expect(rate).toBeGreaterThan(1e-5);
    expect(rate).toBeLessThan(1);
    await page.click("#suggestions .suggested");
    const taken = await page.$eval("[name=lr]", (input) => Number((input as HTMLInputElement).value));
    expect(taken).toBeCloseTo(rate, 6);
    expect(await page.evaluate(text("status"))).toMatch(
      /^(made all 40 steps up to|ended after \d+ of 40 steps: .* at) a rate/,
    );
    // What was found holds for that rule alone, and none of the numbers for what is begun next.
    await page.select("[name=rule]", "sgd");
    expect(await page.$$("#suggestions li")).toEqual([]);
    await page.$eval("[name=steps]", (input) => {
      (input as HTMLInputElement).value = "2";
    });
    const shown = await page.evaluate(`
      document.getElementById("train").click();
      [...document.querySelectorAll("#numbers dd"), document.getElementById("progress")]
        .map((element) => element.value ?? element.textContent).join(" ");
    `);
    expect(shown).toBe("– – – – – – 0");
    await page.waitForFunction(`${text("status")} === "done"`, { polling: 100 });
    expect(errors).toEqual([]);
    await page.close();
  });

  it("works from its sources too, as npm run dev serves them", async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${await serveSources()}?steps=6&batch=8&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    await page.click("#train");
    await page.waitForFunction(`${text("status")} === "done"`, { polling: 200 });
    expect(await page.evaluate(text("step"))).toBe("6 / 6");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("says what is wrong with its fields", async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${address}?steps=5&model=100-10`);
    await page.waitForSelector("#train:enabled");
    await page.click("#train");
    await page.waitForFunction(`${text("status")}.includes("784")`, { polling: 100 });
    expect(await page.evaluate(text("status"))).toBe(
      "model.layers[0] is 100; the rows of MNIST train have 784 numbers",
    );
    expect(errors).toEqual([]);
    await page.close();
  });

  it("says what of its address it does not take, and that MNIST could not be fetched", async () => {
    const { page } = await openPage(browser);
    await page.goto(`${address}?rule=nosuch&steps=0&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    expect(await page.evaluate(text("status"))).toBe(
      'rule is "nosuch" in the address, which its field does not take: it is adamw instead; ' +
        'steps is "0" in the address, which its field does not take: it is 300 instead',
    );
    expect(await page.$eval("[name=rule]", (select) => (select as HTMLSelectElement).value)).toBe("adamw");
    await page.setOfflineMode(true);
    await page.click("#train");
    await page.waitForFunction(`/^mnist.*\\.idx could not be fetched: .+/.test(${text("status")})`, { polling: 100 });
    await page.waitForSelector("#train:enabled");
    await page.close();
  });

  it.each(["", "bench/"])("refuses what its policy does not allow: /%s", async (path) => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${address}${path}`);
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
    await page.goto(`${address}?steps=4&batch=8&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    expect(await page.evaluate(text("banner"))).toMatch(
      /^WebGPU is not available here: navigator\.gpu is missing; .*https.*Chrome.* Training/,
    );
    expect(await page.$eval("#banner", (banner) => (banner as HTMLElement).hidden)).toBe(false);
    await page.click("#train");
    await page.waitForFunction(`${text("status")} === "done"`, { polling: 200 });
    expect(await page.evaluate(text("adapter"))).toBe("CPU reference in JavaScript");
    expect(await page.evaluate(text("step"))).toBe("4 / 4");
    expect(errors).toEqual([]);
    await page.close();
  });
});
