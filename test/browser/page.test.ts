// The built page in a real headless Chrome: it trains on the GPU, falls back to the CPU reference where there is no
// WebGPU, refuses bad input in its own words, says where a run diverged, and goes on with a run that was cut short.
import type { Page } from "puppeteer";
import { describe, expect, it } from "vitest";
import { loadMnist } from "../../src/app/cli/data.ts";
import { jobConfig } from "../../src/lab/defaults.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { train } from "../../src/train/train.ts";
import { launchChrome, openPage, serve, serveSources } from "./chrome.ts";

const address = await serve("dist/page");
const browser = await launchChrome();
const text = (id: string) => `document.getElementById("${id}").textContent`;

describe("the page", () => {
  it("trains 20 steps on the GPU: the loss falls, nothing is logged as an error, no GPU error goes uncaught", async () => {
    const { page, errors } = await openPage(browser);
    await page.setViewport({ width: 1000, height: 900 });
    await page.goto(`${address}#train?steps=20&batch=64`);
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
    expect(Number.parseFloat((await page.evaluate(text("test-accuracy"))) as string)).toBeGreaterThan(60);
    expect(await page.$(".chart canvas")).not.toBeNull();
    expect(errors).toEqual([]);
    await page.close();
  });

  it("can be stopped, and trained again", async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${address}#train?steps=5000&batch=8&model=784-16-10`);
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
    await page.goto(`${address}#find?find=40&batch=32&model=784-16-10`);
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
    const { page, errors } = await openPage(browser);
    await page.goto(`${await serveSources()}#train?steps=6&batch=8&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    await page.click("#train");
    await page.waitForFunction(`${text("status")} === "done"`, { polling: 200 });
    expect(await page.evaluate(text("step"))).toBe("6 / 6");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("says what is wrong with its fields", async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${address}#train?steps=5&model=100-10`);
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
    await page.goto(`${address}#train?rule=nosuch&steps=0&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    expect(await page.evaluate(text("trouble"))).toMatch(
      /^rule is "nosuch"; .* \(in the address; adamw is taken\); steps is 0; .* \(in the address; 300 is taken\)$/,
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
    await page.goto(`${address}#train?steps=4&batch=8&model=784-16-10`);
    await page.waitForSelector("#train:enabled");
    expect(await page.evaluate(text("banner"))).toMatch(
      /^WebGPU is not available here: navigator\.gpu is missing; .*https.*Chrome.* This runs/,
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

/** Fills controls. */
const fill = (page: Page, values: Readonly<Record<string, string>>) =>
  page.evaluate((given) => {
    for (const [name, value] of Object.entries(given)) {
      const control = document.querySelector(`.controls [name="${name}"]`) as HTMLInputElement;
      control.value = value;
      control.dispatchEvent(new Event(control.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
    }
  }, values);

const isHidden = (page: Page, id: string) => page.$eval(`#${id}`, (box) => (box as HTMLElement).hidden);

/** Trains and gives the status with which that ends. */
async function trained(page: Page): Promise<string> {
  await page.click("#train");
  await page.waitForFunction(`${text("status")}.startsWith("done")`, { polling: 50 });
  await page.waitForSelector("#train:enabled");
  return (await page.evaluate(text("status"))) as string;
}

/** A small job whose page is ready; more of the MNIST files than must be is what takes the time here. */
async function openSmall(steps: number): Promise<{ page: Page; errors: string[] }> {
  const opened = await openPage(browser);
  // Every step with its loss as the page shows them, over reloads, and what is to be done at some of them.
  await opened.page.evaluateOnNewDocument(`
    window.devices = [];
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...options) {
      const device = await requestDevice.apply(this, options);
      window.devices.push(device);
      return device;
    };
    window.acts = {};
    document.addEventListener("DOMContentLoaded", () => {
      new MutationObserver((changes) => {
        if (!changes.some(({ target }) => target.id === "loss")) return;
        const step = ${text("step")};
        if (step === "–") return;
        sessionStorage.shown = JSON.stringify([...JSON.parse(sessionStorage.shown ?? "[]"), [step, ${text("loss")}]]);
        window.acts[step]?.();
      }).observe(document.body, { childList: true, subtree: true });
    });
  `);
  await opened.page.goto(`${address}#train?steps=${steps}&batch=8&model=784-16-10`);
  await opened.page.waitForSelector("#train:enabled");
  return opened;
}

/** What the page showed since it was last asked: the steps in their order, and their losses. */
async function takeShown(page: Page): Promise<{ steps: string[]; losses: Record<string, string> }> {
  const shown = (await page.evaluate(() => {
    const all = JSON.parse(sessionStorage.shown);
    delete sessionStorage.shown;
    return all;
  })) as [string, string][];
  return { steps: shown.map(([step]) => step), losses: Object.fromEntries(shown) };
}

it("says of a run that diverges at which step it did, and what to do", { timeout: 240_000 }, async () => {
  const { page, errors } = await openSmall(16);
  for (const [rule, lr, words] of [
    [
      "adamw",
      "1e30",
      /^diverged at step [2-4]: the loss is no longer finite, after \S+; lower the learning rate to a third/,
    ],
    [
      "sgd",
      "1e4",
      /^diverged at step \d+: the smoothed loss has risen to \S+, from \S+ at step \d+; lower the learning/,
    ],
  ] as const) {
    await fill(page, { rule, lr });
    const status = await trained(page);
    const trouble = (await page.evaluate(text("trouble"))) as string;
    expect(trouble).toMatch(words);
    expect(status).toContain(`done; ${trouble.slice(0, trouble.indexOf(":"))}`);
    expect(await isHidden(page, "trouble")).toBe(false);
    expect(await page.$eval("main", (main) => main.innerText)).not.toMatch(/NaN|Infinity/);
  }
  // What was said of one run is not said of the next.
  await fill(page, { rule: "adamw", lr: "0.001" });
  expect(await trained(page)).toBe("done");
  expect(await isHidden(page, "trouble")).toBe(true);
  // Tested are the parameters to use, and the page says so where they are not those that are trained.
  await fill(page, { rule: "scheduleFreeAdamw", lr: "0.05" });
  expect(await trained(page)).toBe("done; tested at the rule's evaluation point, which is the one to use");
  const { train: data, test } = await loadMnist();
  const job = { model: "784-16-10", rule: "scheduleFreeAdamw", lr: 0.05, batch: 8, steps: 16 };
  const { role, testLoss } = await train({ engine: cpuEngine(), ...jobConfig(job), data, test });
  expect(role).toBe("evaluation");
  expect(Number(await page.evaluate(text("test-loss")))).toBeCloseTo(testLoss!, 3);
  expect(errors).toEqual([]);
  await page.close();
});

describe("a run that is cut short", () => {
  it("goes on where its device was lost and the page left, with the losses of one go", {
    timeout: 240_000,
  }, async () => {
    const { page, errors } = await openSmall(40);
    const ends = () => page.evaluate(`[${text("test-loss")}, ${text("test-accuracy")}].join()`);
    expect(await trained(page)).toBe("done");
    expect(await isHidden(page, "kept")).toBe(true);
    const [whole, wholeEnds] = [await takeShown(page), await ends()];

    await page.evaluate(`
      window.acts = { "11 / 40": () => devices.at(-1).destroy(), "27 / 40": () => location.reload() };
      document.getElementById("train").click();`);
    await page.waitForFunction(`${text("trouble")}.includes("went on")`, { polling: 50 });
    expect(await page.evaluate(text("trouble"))).toMatch(
      /^the GPU's device was lost after 1\d steps; the run went on from step (8|12|16) on WebGPU on /,
    );
    await page.waitForSelector("#kept:not([hidden]) #continue:enabled");
    expect(await page.evaluate(text("kept-run"))).toMatch(
      /^The last run did not end: 784-16-10, adamw, (20|24|28|32) of 40 steps\.$/,
    );
    // The form says what goes on.
    await fill(page, { rule: "sgd", steps: "3" });
    await page.click("#continue");
    await page.waitForFunction(`${text("status")} === "done"`, { polling: 50 });
    expect(await page.$eval("[name=rule]", (select) => (select as HTMLSelectElement).value)).toBe("adamw");
    const { steps, losses } = await takeShown(page);
    expect(losses).toEqual(whole.losses);
    expect(steps[0]).toBe("1 / 40");
    expect(await ends()).toBe(wholeEnds);
    // It is finished, and offered no more.
    await page.waitForSelector("#train:enabled");
    expect(await isHidden(page, "kept")).toBe(true);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("can be continued or forgotten, and goes on where nothing is left", { timeout: 240_000 }, async () => {
    const { page, errors } = await openSmall(5000);
    const stopped = async (after: number) => {
      await page.waitForFunction(`Number.parseInt(${text("step")}) > ${after}`, { polling: 50 });
      await page.click("#stop");
      await page.waitForSelector("#kept:not([hidden]) #continue:enabled");
      const [, made] = /^stopped after (\d+) steps$/.exec((await page.evaluate(text("status"))) as string)!;
      expect(await page.evaluate(text("kept-run"))).toContain(`adamw, ${made} of 5000 steps`);
      return Number(made);
    };
    await page.click("#train");
    const made = await stopped(3);
    await page.click("#continue");
    expect(await stopped(made + 3)).toBeGreaterThan(made + 3);
    await page.click("#forget");
    await page.waitForSelector("#kept[hidden]");

    // A range test is short, and is begun anew.
    await page.evaluate(`
      window.acts = { "5 / 100": () => devices.at(-1).destroy() };
      location.hash = "#find?model=784-16-10&batch=8";`);
    await page.waitForSelector("#find-rate:enabled");
    await page.click("#find-rate");
    await page.waitForFunction(`${text("status")} === "the GPU's device was lost; what is begun next gets another"`, {
      polling: 50,
    });
    await page.waitForSelector("#find-rate:enabled");
    await page.goBack();
    await page.waitForSelector("#train:enabled");

    // Another tab's run, no GPU any more, no room.
    await fill(page, { steps: "12" });
    await page.evaluate(`
      navigator.locks.request("fallline-run", () => new Promise((resolve) => { window.release = resolve; }));
      0`);
    expect(await trained(page)).toBe("done; another tab keeps its run, so this one is not kept");
    await takeShown(page);
    await page.evaluate(`
      window.release();
      window.acts = {
        "5 / 12": () => {
          GPU.prototype.requestAdapter = async () => null;
          devices.at(-1).destroy();
        },
      };
      0`);
    expect(await trained(page)).toBe("done");
    expect(await page.evaluate(text("trouble"))).toMatch(
      /^the GPU's device was lost after \d steps; the run went on from step [2-8] on CPU reference in JavaScript$/,
    );
    expect(await isHidden(page, "banner")).toBe(false);
    expect((await takeShown(page)).steps).toEqual(Array.from({ length: 12 }, (_, i) => `${i + 1} / 12`));
    await page.evaluate(`IDBFactory.prototype.open = () => { throw new Error("the disk is full"); }; 0`);
    expect(await trained(page)).toBe("done; the run could not be kept: the disk is full");
    expect(await page.evaluate(text("kept-run"))).toBe(
      "This browser keeps no runs for another visit: the disk is full",
    );
    expect(errors).toEqual([]);
    await page.close();
  });
});
