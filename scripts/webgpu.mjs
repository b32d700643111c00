// Finds WebGPU for Node and a browser for the tests, with Node's built-ins alone, because the set-up needs it before
// anything is installed. On a machine without a GPU driver, the SwiftShader that comes with every Chrome serves Dawn too.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const names = ["google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome"];
const places = [
  "/usr/bin/google-chrome",
  "/usr/bin/chromium",
  "/opt/google/chrome/chrome",
  "/usr/lib/chromium/chromium",
  "/usr/lib/chromium-browser/chromium-browser",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
];

const swiftShaderDriver = "vk_swiftshader_icd.json";

/** @param {string} path */
function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The Chromes in the cache of `puppeteer browsers install`, newest first. */
function puppeteerCache() {
  const root = join(process.env.PUPPETEER_CACHE_DIR ?? join(homedir(), ".cache", "puppeteer"), "chrome");
  if (!existsSync(root)) return [];
  const inside = [
    ["chrome-linux64", "chrome"],
    ["chrome-mac-arm64", "Google Chrome for Testing.app", "Contents", "MacOS", "Google Chrome for Testing"],
    ["chrome-mac-x64", "Google Chrome for Testing.app", "Contents", "MacOS", "Google Chrome for Testing"],
    ["chrome-win64", "chrome.exe"],
  ];
  return readdirSync(root)
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .flatMap((version) => inside.map((path) => join(root, version, ...path)));
}

/** Every Chrome or Chromium on this machine, best first. */
function chromes() {
  const chosen = process.env.PUPPETEER_EXECUTABLE_PATH;
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .filter(Boolean)
    .flatMap((folder) => names.map((name) => join(folder, process.platform === "win32" ? `${name}.exe` : name)));
  return [...(chosen ? [chosen] : []), ...onPath, ...places, ...puppeteerCache()].filter(executable);
}

/**
 * The first Chrome or Chromium that starts, or undefined: stubs that only name a package to install are passed over.
 *
 * @param {string} [known] one that started before, and is not tried again
 */
export function findChrome(known) {
  const candidates = [...new Set(chromes())];
  if (known && candidates.includes(known)) return known;
  // On Windows `--version` would open a window.
  return candidates.find((path) => process.platform === "win32" || starts(path));
}

/** @param {string} path */
function starts(path) {
  return spawnSync(path, ["--version"], { stdio: "ignore", timeout: 30_000 }).status === 0;
}

/**
 * The folder with a Chrome's Vulkan loader and SwiftShader driver, or undefined; only Linux needs and has it.
 */
export function findSwiftShader() {
  if (process.platform !== "linux") return undefined;
  return chromes()
    .flatMap((path) => [
      dirname(realpathSync(path)),
      "/usr/lib/chromium",
      "/usr/lib/chromium-browser",
      "/opt/google/chrome",
    ])
    .find((folder) => existsSync(join(folder, swiftShaderDriver)) && existsSync(join(folder, "libvulkan.so.1")));
}

/** Whether asking Dawn for hardware makes sense: on Linux it needs an installed Vulkan driver. */
export function mayHaveHardware() {
  if (process.platform !== "linux") return true;
  const chosen = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  // SwiftShader's was set by useSwiftShader, here or in the parent process.
  if (chosen) return !chosen.endsWith(swiftShaderDriver);
  return ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"].some(
    (folder) => existsSync(folder) && readdirSync(folder).some((file) => file.endsWith(".json")),
  );
}

/** dlopen without unloading: Dawn asks for "libvulkan.so.1" by name and then finds it loaded. */
const RTLD_NOW_NODELETE = 0x1002;

/** @param {string} folder what findSwiftShader returned */
async function useSwiftShader(folder) {
  const icd = join(folder, swiftShaderDriver);
  const loader = join(folder, "libvulkan.so.1");
  process.env.VK_ICD_FILENAMES = icd;
  process.env.VK_DRIVER_FILES = icd;
  if ("bun" in process.versions) return useInBun(loader, icd);
  try {
    process.dlopen({ exports: {} }, loader, RTLD_NOW_NODELETE);
  } catch (error) {
    // It is not a Node addon, which Node reports after loading it; anything else is a real failure.
    if (!/self-register/.test(String(error))) throw error;
  }
}

/**
 * Bun's process.dlopen closes libraries that are not addons, and its process.env is not the environment that libraries read.
 *
 * @param {string} loader
 * @param {string} icd
 */
async function useInBun(loader, icd) {
  // Node's types lack this module, which only Bun has.
  const name = "bun:ffi";
  const { dlopen } = await import(/* @vite-ignore */ name);
  const libc = dlopen("libc.so.6", { setenv: { args: ["cstring", "cstring", "i32"], returns: "i32" } });
  /** @param {string} text */
  const terminated = (text) => Buffer.from(`${text}\0`);
  for (const variable of ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"]) {
    libc.symbols.setenv(terminated(variable), terminated(icd), 1);
  }
  keep(dlopen(loader, { vkGetInstanceProcAddr: { args: ["ptr", "cstring"], returns: "ptr" } }));
}

/** Milliseconds between two checks by Dawn whether something is done. */
const nap = 0.2;
let naps = false;

/**
 * While waiting for something, Dawn checks through `setImmediate` again and again whether it is done, which takes a whole core
 * from an emulated GPU. From now on this thread sleeps briefly before each check.
 */
function waitWithoutSpinning() {
  if (naps) return;
  naps = true;
  const never = new Int32Array(new SharedArrayBuffer(4));
  globalThis.setImmediate = new Proxy(globalThis.setImmediate, {
    apply(immediate, self, args) {
      // Dawn's callback is the one with neither name nor source.
      const [{ name }] = args;
      if (name === "" && String(args[0]).endsWith("{ [native code] }")) Atomics.wait(never, 0, 0, nap);
      return Reflect.apply(immediate, self, args);
    },
  });
}

/** @returns {Promise<typeof import("webgpu")>} npm `webgpu`, with its globals in place */
async function loadDawn() {
  const dawn = await import("webgpu");
  Object.assign(globalThis, dawn.globals);
  return dawn;
}

/**
 * @param {typeof import("webgpu")} dawn
 * @param {string[]} [flags] of Dawn
 */
async function openWith(dawn, flags = []) {
  const gpu = dawn.create(flags);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  keep(gpu, adapter);
  if (!adapter) return undefined;
  if (adapter.info.isFallbackAdapter) waitWithoutSpinning();
  return gpu;
}

/** WebGPU through the machine's own driver, or undefined. */
export async function openHardware() {
  return mayHaveHardware() ? openWith(await loadDawn()) : undefined;
}

/**
 * WebGPU in Node through npm `webgpu` (Dawn): a hardware adapter, else a Chrome's SwiftShader.
 *
 * The GPU object, its adapters and devices must stay reachable as long as they are used: Dawn crashes the process when
 * they are collected. Everything returned here is kept on globalThis.
 *
 * @param {string[]} [flags] of Dawn, such as `enable-dawn-features=skip_validation`; none by default
 * @returns {Promise<{ gpu: GPU } | { reason: string }>} the GPU object if it has an adapter, or why there is none
 */
export async function openWebGPU(flags = []) {
  /** @type {typeof import("webgpu")} */
  let dawn;
  try {
    dawn = await loadDawn();
  } catch (error) {
    const [line] = /** @type {Error} */ (error).message.split("\n");
    return { reason: `npm package "webgpu" does not load (${line}); run: npm install webgpu` };
  }
  const hardware = mayHaveHardware() ? await openWith(dawn, flags) : undefined;
  if (hardware) return { gpu: hardware };
  const folder = findSwiftShader();
  if (!folder)
    return {
      reason:
        "no GPU driver that Dawn accepts, and no Chrome or Chromium with SwiftShader; install a driver, or run: npx puppeteer browsers install chrome",
    };
  await useSwiftShader(folder);
  const gpu = await openWith(dawn, flags);
  return gpu
    ? { gpu }
    : { reason: `no GPU driver that Dawn accepts, and the SwiftShader in ${folder} gave no adapter` };
}

/** @param {unknown[]} objects objects to keep from being collected while the process lives */
export function keep(...objects) {
  const home = /** @type {{ falllineKeeps?: unknown[] }} */ (globalThis);
  home.falllineKeeps ??= [];
  home.falllineKeeps.push(...objects);
}
