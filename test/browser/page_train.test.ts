// Training in a real headless Chrome: MNIST, digits and tables on the GPU; what it says of bad input and of runs that diverge; runs
// that are paused, cut short, saved and loaded; what the network just trained reads; and how soon the page answers meanwhile.
import type { Page } from "puppeteer";
import { describe, expect, it } from "vitest";
import { jobConfig } from "../../src/lab/defaults.ts";
import { splitRows } from "../../src/objectives/data/dataset.ts";
import { uciDigits } from "../../src/objectives/data/uci_digits.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { train } from "../../src/train/train.ts";
import { expectRest, fill, keepDevices, launchChrome, openPage, pressKeys, serve } from "./chrome.ts";

const address = await serve("dist/page");
const browser = await launchChrome();
const text = (id: string) => `document.getElementById("${id}").textContent`;

describe("a run on MNIST", () => {
  it("trains 20 steps on the GPU: the loss falls, nothing is logged as an error, no GPU error goes uncaught", async () => {
    const { page, errors } = await openPage(browser);
    await page.setViewport({ width: 1000, height: 900 });
    await page.goto(`${address}#train?steps=20&batch=64&model=784-128-10&lr=0.01`);
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
    expect(await page.$(".curves canvas")).not.toBeNull();
    expect(errors).toEqual([]);
    await page.close();
  });

  it("can be stopped, and trained again", async () => {
    const { page, errors } = await openPage(browser, `${address}#train?data=digits&steps=5000&batch=8&model=64-16-10`);
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

  it("says what is wrong with its fields", async () => {
    const { page, errors } = await openPage(browser, `${address}#train?steps=5&model=100-10`);
    await page.waitForSelector("#train:enabled");
    await page.click("#train");
    await page.waitForFunction(`${text("status")}.includes("784")`, { polling: 100 });
    expect(await page.evaluate(text("status"))).toBe(
      "model.layers[0] is 100; the rows of MNIST train have 784 numbers",
    );
    // A box with a text that is no value keeps the one before, with which nothing is trained.
    const notNumber = 'steps is "5x"; it must be a whole number in [1, 1000000]';
    await page.type("[name=steps]", "x");
    await page.click("#train");
    await page.waitForFunction(`${text("status")} === ${JSON.stringify(notNumber)}`, { polling: 100 });
    await fill(page, { steps: "5" });
    await page.click("#config-box summary");
    await page.type("#config", "x");
    await page.click("#train");
    await page.waitForFunction(`${text("status")}.startsWith("the run config is ")`, { polling: 100 });
    expect(await page.evaluate(text("step"))).toBe("–");
    expect(errors).toEqual([]);
    await page.close();
  });
});

const isHidden = (page: Page, id: string) => page.$eval(`#${id}`, (box) => (box as HTMLElement).hidden);

/** Trains and gives the status with which that ends. */
async function trained(page: Page): Promise<string> {
  await page.click("#train");
  await page.waitForFunction(`${text("status")}.startsWith("done")`, { polling: 50 });
  await page.waitForSelector("#train:enabled");
  return (await page.evaluate(text("status"))) as string;
}

/** A small job whose page is ready. */
async function openSmall(steps: number): Promise<{ page: Page; errors: string[] }> {
  const opened = await openPage(browser);
  // Every step with its loss as the page shows them, over reloads, and what is to be done at some of them.
  await opened.page.evaluateOnNewDocument(`${keepDevices}
    window.acts = {};
    document.addEventListener("DOMContentLoaded", () => {
      // Several steps may come between two calls, each with a text of its own.
      let step = "–";
      new MutationObserver((changes) => {
        for (const { target, addedNodes } of changes) {
          if (target.id === "step") step = addedNodes[0]?.data ?? "–";
          if (target.id !== "loss" || step === "–" || !addedNodes[0]) continue;
          sessionStorage.shown = JSON.stringify([...JSON.parse(sessionStorage.shown ?? "[]"), [step, addedNodes[0].data]]);
          window.acts[step]?.();
        }
      }).observe(document.body, { childList: true, subtree: true });
    });
  `);
  await opened.page.goto(`${address}#train?data=digits&steps=${steps}&batch=8&model=64-16-10`);
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

it("says at which step a run diverged, and what to do", { timeout: 240_000 }, async () => {
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
  const { train: data, test } = splitRows(await uciDigits(), 360, { shuffle: false });
  const job = { model: "64-16-10", rule: "scheduleFreeAdamw", lr: 0.05, batch: 8, steps: 16 };
  const { role, testLoss } = await train({ engine: cpuEngine(), ...jobConfig(job), data, test });
  expect(role).toBe("evaluation");
  expect(Number(await page.evaluate(text("test-loss")))).toBeCloseTo(testLoss!, 3);
  // Nothing is read by the network before in place of one that diverged.
  const config = { model: { layers: [64, 10] }, optimizer: { rule: "sgd", lr: 1e38 }, batch: 8, steps: 4 };
  const place = `#train?data=digits&config=${encodeURIComponent(JSON.stringify(config))}`;
  await page.evaluate((hash) => location.assign(hash), place);
  await page.waitForSelector("#config-note:not([hidden])");
  expect(await trained(page)).toMatch(/^done; diverged at step \d/);
  expect(await page.evaluate(text("answer"))).toMatch(/^The network just trained diverged, so it reads nothing/);
  expect(errors).toEqual([]);
  await page.close();
});

describe("a run that is cut short", () => {
  it("continues after a lost device and a left page, with the losses of one go", {
    timeout: 240_000,
  }, async () => {
    const { page, errors } = await openSmall(40);
    const ends = () => page.evaluate(`[${text("test-loss")}, ${text("test-accuracy")}].join()`);
    expect(await trained(page)).toBe("done");
    expect(await isHidden(page, "kept")).toBe(true);
    const [whole, wholeEnds] = [await takeShown(page), await ends()];

    await page.evaluate(`
      window.acts = { "11 / 40": () => devices.at(-1).destroy(), "27 / 40": leave };
      // Paused, so that it does not end before the page does.
      function leave() {
        // What it said before goes with the page.
        sessionStorage.trouble = ${text("trouble")};
        document.getElementById("pause").click();
        location.reload();
      }
      document.getElementById("train").click();`);
    await page.waitForSelector("#kept:not([hidden]) #continue:enabled");
    expect(await page.evaluate("sessionStorage.trouble")).toMatch(
      /^the GPU device was lost after 1\d steps; the run continued from step (8|12|16) on WebGPU on /,
    );
    expect(await page.evaluate(text("kept-run"))).toMatch(
      /^The last run is unfinished: 64-16-10, adamw, (20|24|28|32) of 40 steps\.$/,
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

  it("can be continued or forgotten, and goes on without a GPU, a lock or room", { timeout: 240_000 }, async () => {
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

    // A range test begins anew once; its second device is lost as well.
    await page.evaluate(`
      window.acts = { "5 / 100": () => devices.at(-1).destroy() };
      location.hash = "#find?model=784-16-10&batch=8";`);
    await page.waitForSelector("#find-rate:enabled");
    await page.click("#find-rate");
    await page.waitForFunction(`${text("status")} === "the GPU device was lost; start again to use another"`, {
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
    expect(await trained(page)).toBe("done; another tab is saving its run, so this one is not saved");
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
      /^the GPU device was lost after \d steps; the run continued from step [2-8] on CPU reference in JavaScript$/,
    );
    expect(await isHidden(page, "banner")).toBe(false);
    expect((await takeShown(page)).steps).toEqual(Array.from({ length: 12 }, (_, i) => `${i + 1} / 12`));
    await page.evaluate(`IDBFactory.prototype.open = () => { throw new Error("the disk is full"); }; 0`);
    expect(await trained(page)).toBe("done; the run could not be saved: the disk is full");
    expect(await page.evaluate(text("kept-run"))).toBe("This browser cannot save runs: the disk is full");
    expect(errors).toEqual([]);
    await page.close();
  });
});

/** Files as they are dropped onto the page, their names separated by spaces. */
const drop = (page: Page, names: string, content: string | readonly number[], type = "") =>
  page.evaluate(
    (names, content, type) => {
      const dataTransfer = new DataTransfer();
      const part = typeof content === "string" ? content : Uint8Array.from(content);
      for (const name of names.split(" ")) dataTransfer.items.add(new File([part], name, { type }));
      dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
    },
    names,
    content as string | number[],
    type,
  );

/** Waits for what the page says of trouble. */
async function trouble(page: Page, words: RegExp): Promise<void> {
  await expect.poll(() => page.evaluate(text("trouble")), { timeout: 20_000 }).toMatch(words);
}

/** Keeps what the page lets one save. */
const keepSaved = (page: Page) =>
  page.evaluate(`
    window.saved = [];
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => { window.saved.push(blob); return make.call(URL, blob); };
    0`);

it("learns the digits; its rate changes while paused; it reads drawings; its checkpoint continues", {
  timeout: 240_000,
}, async () => {
  const { page, errors } = await openPage(browser);
  await page.setViewport({ width: 1000, height: 1400 });
  await page.goto(`${address}#train?data=digits&steps=200&batch=64&lr=0.01&every=100&sharpness=100`);
  await page.waitForSelector("#train:enabled");
  await keepSaved(page);
  expect(await page.$eval("[name=model]", (input) => (input as HTMLInputElement).value)).toBe("64-32-10");
  await page.evaluate(`
    window.rates = {};
    new MutationObserver(() => { window.rates[parseInt(${text("step")})] = Number(${text("learning-rate")}); })
      .observe(document.getElementById("learning-rate"), { childList: true });
    0`);
  await page.click("#train");
  await page.waitForFunction(`Number.parseInt(${text("step")}) > 20`, { polling: 50 });
  await page.click("#pause");
  await page.waitForFunction(`${text("status")}.startsWith("paused before step")`, { polling: 50 });
  const at = Number(/\d+/.exec((await page.evaluate(text("status"))) as string)![0]);
  const before = (await page.evaluate(`window.rates[${at - 1}]`)) as number;
  // What it has learned so far can be used.
  expect(await page.evaluate(text("answer"))).toBe("The pad is empty: draw a digit from 0 to 9.");
  await fill(page, { factor: "0.5" });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await page.evaluate(text("step"))).toBe(`${at - 1} / 200`);
  await page.click("#pause");
  await page.waitForFunction(`${text("status")} === "done"`, { polling: 50 });
  const after = (await page.evaluate(`window.rates[${at}]`)) as number;
  expect(after / before).toBeGreaterThan(0.45);
  expect(after / before).toBeLessThan(0.55);
  expect(Number.parseFloat((await page.evaluate(text("test-accuracy"))) as string)).toBeGreaterThan(80);
  expect(await page.$$eval(".charts > :not([hidden]) canvas", (all) => all.length)).toBe(6);

  // An image of the data, put onto the pad eight times as large, is read as a network in Node reads it.
  const digits = await uciDigits();
  const digit = Array.from(digits.inputs.subarray(64 * 3, 64 * 4));
  await page.evaluate(async (pixels) => {
    const canvas = new OffscreenCanvas(64, 64);
    const context = canvas.getContext("2d")!;
    pixels.forEach((pixel, i) => {
      const light = 255 - (255 * pixel) / 16;
      context.fillStyle = `rgb(${light}, ${light}, ${light})`;
      context.fillRect(8 * (i % 8), 8 * Math.floor(i / 8), 8, 8);
    });
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([await canvas.convertToBlob()], "digit.png", { type: "image/png" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
  }, digit);
  await page.waitForFunction(`${text("answer")}.startsWith("It reads a ${digits.labels[3]} with ")`);
  expect(await page.$$eval("#bars li", (bars) => bars.length)).toBe(10);
  await page.focus("#pad");
  await page.keyboard.press("Delete");
  await page.waitForFunction(`${text("answer")} === "The pad is empty: draw a digit from 0 to 9."`);
  // A stroke from top to bottom.
  const { x, y, width, height } = (await (await page.$("#pad"))!.boundingBox())!;
  await page.mouse.move(x + 0.5 * width, y + 0.15 * height);
  await page.mouse.down();
  await page.mouse.move(x + 0.5 * width, y + 0.85 * height, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(`${text("answer")}.startsWith("It reads a ")`);
  await drop(page, "rubbish.png", "no picture", "image/png");
  await trouble(page, /^rubbish\.png is not a picture that this browser can read: /);
  await drop(page, "letter.docx", "PK");
  await trouble(page, /^this page cannot read letter\.docx; it takes tables/);
  await drop(page, "a.csv b.csv", "x,label\n1,0\n");
  await trouble(page, /^2 files were dropped, a\.csv, b\.csv; the page takes one at a time$/);

  // The checkpoint that one saves goes on for more steps, and is refused for another network.
  await page.evaluate(`document.getElementById("config-box").open = true; 0`);
  await page.click("#save-checkpoint");
  await page.click("#save-config");
  const bytes = (await page.evaluate(
    `window.saved[0].arrayBuffer().then((all) => [...new Uint8Array(all)])`,
  )) as number[];
  const config = JSON.parse((await page.evaluate(`window.saved[1].text()`)) as string);
  expect(config).toMatchObject({ format: "fallline-run/1", model: { layers: [64, 32, 10] }, steps: 200 });
  await fill(page, { model: "64-16-10" });
  await drop(page, "checkpoint.safetensors", bytes);
  await trouble(page, /^model\.layers is \[64,16,10\]; it must be \[64,32,10\], as in the run of the checkpoint$/);
  expect(await page.$eval("#go-on", (button) => (button as HTMLButtonElement).disabled)).toBe(true);
  await page.click("#take-config");
  expect(await isHidden(page, "config-note")).toBe(false);
  await page.click("#go-on");
  await page.waitForFunction(`${text("status")} === "done"`, { polling: 50 });
  expect(await page.evaluate(text("step"))).toBe("200 / 200");
  await drop(page, "checkpoint.safetensors", bytes.slice(0, 500));
  await trouble(page, /safetensors|checkpoint/);
  await drop(page, "run.json", "{ rubbish");
  await trouble(page, /^the run config is "\{ rubbish"; it must be JSON: /);
  await drop(page, "run.json", JSON.stringify({ ...config, steps: 5 }));
  await page.waitForFunction(`${text("status")} === "run.json: 64-32-10, adamw, 5 steps"`);
  expect(await trained(page)).toBe("done");
  expect(await page.evaluate(text("step"))).toBe("5 / 5");
  expect(errors).toEqual([]);
  await page.close();
});

it("learns a dropped table by the chosen column, and predicts another; explains what is not a table", {
  timeout: 240_000,
}, async () => {
  const { page, errors } = await openPage(browser, `${address}#train?steps=80&lr=0.02&every=0`);
  await page.waitForSelector("#train:enabled");
  await keepSaved(page);
  for (const [name, content, words] of [
    ["empty.csv", "", /^empty\.csv is empty$/],
    ["ragged.csv", "a,b\n1,2\n3\n", /^ragged\.csv line 3 has 1 columns; line 1 has 2$/],
    ["words.csv", "a,b\n1,2\nx,y\n5,6\n", /^words\.csv line 3, column "[ab]" is "[xy]"; it must be a number/],
  ] as const) {
    await drop(page, name, content);
    await trouble(page, words);
  }
  const rows = Array.from({ length: 60 }, (_, i) => [Math.sin(i), 100 * Math.cos(i)] as const);
  const csv = [
    "x,y,size,side",
    ...rows.map(([x, y]) => `${x},${y},${(3 * x + 1000).toFixed(3)},${x > 0 ? "up" : "down"}`),
  ].join("\n");
  await drop(page, "sides.csv", csv);
  await page.waitForFunction(`${text("table")}.startsWith("sides.csv: 60 rows of 3 inputs; side holds 2 classes.")`);
  expect(await page.$eval("[name=model]", (input) => (input as HTMLInputElement).value)).toBe("3-64-32-2");
  expect(await page.$eval("[name=batch]", (input) => (input as HTMLInputElement).value)).toBe("48");
  expect(await trained(page)).toBe("done");
  expect(Number.parseFloat((await page.evaluate(text("test-accuracy"))) as string)).toBeGreaterThan(80);
  expect(await page.evaluate(text("answer"))).toBe("The network just trained reads sides.csv, not digits.");

  // Numbers to predict, of another column.
  await page.select("[name=target]", "size");
  await page.waitForFunction(`${text("table")}.includes("of 4 inputs; size holds numbers.")`);
  expect(await page.$eval("[name=model]", (input) => (input as HTMLInputElement).value)).toBe("4-64-32-1");
  expect(await trained(page)).toBe("done");
  const chooser = await page.$("#predict-file");
  await page.evaluate((input) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["side,y,x\nup,0,1\ndown,0,-1\n"], "new.csv"));
    (input as HTMLInputElement).files = dataTransfer.files;
    input!.dispatchEvent(new Event("change"));
  }, chooser);
  await page.waitForFunction(`${text("predicted-text")}.startsWith("2 rows of new.csv")`);
  await page.click("#save-predicted");
  const [head, ...lines] = ((await page.evaluate(`window.saved[0].text()`)) as string).trim().split("\n");
  expect(head).toBe("side,y,x,size");
  // In the table's own units.
  for (const [i, line] of lines.entries()) expect(Number(line.split(",")[3])).toBeCloseTo(i === 0 ? 1003 : 997, -1);

  // Names of any length fit a narrow page.
  await page.setViewport({ width: 320, height: 640 });
  const long = "x".repeat(200);
  await drop(page, `${long}.csv`, `${long},y\n1,0\n2,1\n`);
  await page.waitForFunction(`${text("table")}.startsWith("xxx")`);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
  await page.setViewport({ width: 800, height: 600 });
  await drop(page, "sides.csv", csv);
  await page.waitForFunction(`${text("table")}.startsWith("sides.csv")`);

  // A run keeps its own table, whichever is dropped meanwhile.
  await fill(page, { steps: "100000" });
  await page.click("#train");
  await page.waitForFunction(`Number.parseInt(${text("step")}) > 5`, { polling: 50 });
  await drop(page, "other.csv", "a,b\n1.5,2.5\n2.5,3.5\n");
  await page.waitForFunction(`${text("table")}.startsWith("other.csv")`);
  await page.click("#stop");
  await page.waitForFunction(`${text("kept-run")}.includes("of 100000 steps")`, { polling: 50 });
  await page.click("#continue");
  await page.waitForFunction(`${text("table")}.startsWith("sides.csv")`);
  await page.waitForFunction(`${text("status")} === "training …"`, { polling: 50 });
  await page.click("#stop");
  await page.waitForSelector("#train:enabled");
  expect(errors).toEqual([]);
  await page.close();
});

it("waits while its tab is hidden, and answers keys between its steps while it trains on a software adapter", {
  timeout: 240_000,
}, async () => {
  const { page, errors } = await openPage(browser);
  await page.setViewport({ width: 1000, height: 900 });
  await page.goto(`${address}#train?data=digits&steps=100000&batch=64&every=0`);
  await page.waitForSelector("#train:enabled");
  await page.click("#train");
  const step = async () => Number.parseInt((await page.evaluate(text("step"))) as string, 10);
  await page.waitForFunction(`Number.parseInt(${text("step")}) > 20`, { polling: 50 });
  // As one turns the rate.
  await pressKeys(page);

  const held = await expectRest(page, step);
  await page.waitForFunction(`Number.parseInt(${text("step")}) > ${held}`, { polling: 50 });
  await page.click("#stop");
  await page.waitForFunction(`${text("status")}.startsWith("stopped after")`, { polling: 100 });
  expect(errors).toEqual([]);
  await page.close();
});
