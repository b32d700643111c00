// `fallline/tfjs` in a real headless Chrome: TensorFlow.js' variables are updated as its own Adam and the CPU reference do, nothing
// is leaked, and what shares a variable's data keeps its values.
import { afterAll, expect, it } from "vitest";
import { launchChrome, openPage, serveSources } from "./chrome.ts";

const address = await serveSources();
const { page, errors } = await openPage(await launchChrome(), `${address}test/browser/blank.html`);
const call = <T>(name: string): Promise<T> =>
  page.evaluate(`import("/test/browser/tfjs_page.ts").then((module) => module.${name}())`) as Promise<T>;

afterAll(() => expect(errors).toEqual([]));

it("minimizes as TensorFlow.js' own Adam does", async () => {
  const { losses, off, iterations } = await call<{ losses: number[]; off: number[]; iterations: number }>("besideAdam");
  expect(Math.max(...off)).toBeLessThan(1e-5);
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
  expect(iterations).toBe(12);
});

it("updates as the CPU reference does, with groups, a schedule, clipping and accumulation", async () => {
  const { off, step } = await call<{ off: number; step: number }>("besideReference");
  expect(off).toBeLessThan(1e-6);
  expect(step).toBe(4);
});

it("leaks no tensor, and takes a dispatch for each variable where TensorFlow.js takes fourteen", async () => {
  const found = await call<
    Record<"before" | "created" | "stepped" | "disposed", number[]> & { ours: number; theirs: number }
  >("memoryAndDispatches");
  // One more reference to each variable, and no more data.
  expect(found.created[0]).toBe(found.before[0]! + 2);
  expect(found.created[1]).toBe(found.before[1]);
  expect(found.stepped).toEqual(found.created);
  expect(found.disposed).toEqual(found.before);
  expect(found.ours).toBe(2);
  expect(found.theirs).toBeGreaterThanOrEqual(2 * 14);
});

it("leaves what shares a variable's data as it is, and continues from assigned values", async () => {
  const found = await call<{
    start: number;
    afterOne: { w: number; clone: number; view: number };
    assigned: number;
    afterTwo: number;
    read: number;
    afterDispose: number;
  }>("sharing");
  expect(found.afterOne.w).toBeCloseTo(found.start - 0.5, 5);
  expect([found.afterOne.clone, found.afterOne.view]).toEqual([found.start, found.start]);
  expect(found.assigned).toBe(9);
  expect(found.afterTwo).toBeCloseTo(8.5, 5);
  expect([found.read, found.afterDispose]).toEqual([found.afterTwo, found.afterTwo]);
});

it("throws one of our errors, whatever is given for an argument", async () => {
  expect(await call<string[]>("hostileComplaints")).toEqual([]);
});

it("refuses what it cannot update in one sentence", async () => {
  const said = await call<Record<string, string>>("refusals");
  expect(said).toMatchObject({
    none: "OptionError: variables is []; it must hold at least one variable",
    number: "OptionError: variables[0] is 3; it must be a variable, such as tf.variable() gives",
    int32: 'OptionError: variables[0] has dtype "int32"; it must be "float32"',
    replicas: "OptionError: replicas is set; TensorFlow.js has one copy of each variable, so leave it out",
    disposed: "DeviceError: applyGradients was called after dispose()",
  });
  expect(said.library).toMatch(/^OptionError: tf is {}, whose Optimizer is missing; it must be TensorFlow\.js/);
  expect(said.stranger).toMatch(
    /^OptionError: applyGradients was given a gradient of "layer\d+\/bias"; it must be one of layer/,
  );
  expect(said.shape).toMatch(/^OptionError: the gradient of "layer\d+\/kernel" has shape \[7\]; it must be \[5,7\]/);
});
