// Finds and starts the browser of the benchmark: a Chrome or Chromium, or a Firefox, with WebGPU enabled.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import puppeteer, { type Browser, type LaunchOptions } from "puppeteer";
import { findChrome } from "../scripts/webgpu.mjs";
import { DeviceError, show } from "../src/base/errors.ts";
import { messageOf } from "./suite.ts";

export const browserNames = ["chrome", "firefox"] as const;
export type BrowserName = (typeof browserNames)[number];

/** A kind of browser, besides its command line. */
interface Kind {
  readonly title: string;
  find(): string | undefined;
  readonly launch: LaunchOptions;
  /** What may be missing if it has no WebGPU, or no adapter. */
  readonly needs: string;
}

/** Software adapters are off in Firefox by default; its clock is rounded to whole milliseconds. */
const firefoxPrefs = {
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "privacy.reduceTimerPrecision": false,
};

const kinds: Readonly<Record<BrowserName, Kind>> = {
  chrome: {
    title: "Chrome or Chromium",
    find: () => findChrome(),
    launch: {
      browser: "chrome",
      args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--enable-unsafe-webgpu"],
    },
    needs: "a GPU that it does not block, or the SwiftShader that comes with it (--enable-unsafe-webgpu is given)",
  },
  firefox: {
    title: "Firefox",
    find: findFirefox,
    launch: { browser: "firefox", extraPrefsFirefox: firefoxPrefs },
    needs:
      "the prefs dom.webgpu.enabled and gfx.webgpu.ignore-blocklist (which are set) and a driver: a GPU's own, or " +
      "Debian's package mesa-vulkan-drivers",
  },
};

const firefoxPlaces = [
  "/usr/bin/firefox",
  "/usr/bin/firefox-esr",
  "/usr/lib/firefox/firefox",
  "/usr/lib/firefox-esr/firefox-esr",
  "/snap/bin/firefox",
  "/Applications/Firefox.app/Contents/MacOS/firefox",
  "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
];

/** The Firefoxes in the cache of `puppeteer browsers install`, newest first. */
function cachedFirefoxes(): string[] {
  const folder = join(process.env.PUPPETEER_CACHE_DIR ?? join(homedir(), ".cache", "puppeteer"), "firefox");
  if (!existsSync(folder)) return [];
  const inside = [
    ["firefox", "firefox"],
    ["Firefox.app", "Contents", "MacOS", "firefox"],
    ["core", "firefox.exe"],
  ];
  return readdirSync(folder)
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .flatMap((version) => inside.map((path) => join(folder, version, ...path)));
}

/** The first Firefox that starts. PUPPETEER_EXECUTABLE_PATH may name a Chrome, which is passed over. */
function findFirefox(): string | undefined {
  const chosen = process.env.PUPPETEER_EXECUTABLE_PATH;
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .filter(Boolean)
    .flatMap((folder) => ["firefox", "firefox-esr", "firefox.exe"].map((name) => join(folder, name)));
  const candidates = [...(chosen ? [chosen] : []), ...onPath, ...firefoxPlaces, ...cachedFirefoxes()];
  return [...new Set(candidates)].find(isFirefox);
}

function isFirefox(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return false;
  }
  // On Windows, a program with a window prints nothing.
  if (process.platform === "win32") return /firefox/i.test(path);
  return spawnSync(path, ["--version"], { encoding: "utf8", timeout: 30_000 }).stdout?.includes("Firefox") ?? false;
}

/** The warning if PUPPETEER_EXECUTABLE_PATH names another program than the one that runs. */
export function passedOver(name: BrowserName, named: string | undefined, path: string): string | undefined {
  if (!named || named === path) return;
  const { title } = kinds[name];
  return `PUPPETEER_EXECUTABLE_PATH is ${show(named)}; it must be a ${title} that starts; ${path} runs instead`;
}

/** A command that measures several times warns only once. */
let isWarned = false;

/** @throws DeviceError if there is none, with how to install one. */
export function findBrowser(name: BrowserName): string {
  const { title, find } = kinds[name];
  const path = find();
  if (path !== undefined) {
    const warning = isWarned ? undefined : passedOver(name, process.env.PUPPETEER_EXECUTABLE_PATH, path);
    if (warning !== undefined) process.stderr.write(`bench: ${warning}\n`);
    isWarned = true;
    return path;
  }
  throw new DeviceError(
    `the benchmark needs ${title}, and there is none; install one with: npx puppeteer browsers install ${name}`,
  );
}

/**
 * @param env Environment variables besides those of this process.
 * @throws DeviceError if it does not start.
 */
export async function launch(
  name: BrowserName,
  executablePath: string,
  headful: boolean,
  env: Readonly<Record<string, string>> = {},
): Promise<Browser> {
  try {
    return await puppeteer.launch({
      ...kinds[name].launch,
      executablePath,
      headless: !headful,
      env: { ...process.env, ...env },
      // A case may take any time.
      protocolTimeout: 0,
      // Interrupting the benchmark still yields the finished rows.
      ...{ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false },
    });
  } catch (error) {
    throw new DeviceError(`${executablePath} does not start: ${messageOf(error)}`, { cause: error });
  }
}

/** The error for a browser without WebGPU, or without an adapter. */
export function withoutAdapter(name: BrowserName, version: string, why: string): DeviceError {
  return new DeviceError(`${version} cannot run the benchmark: ${why}; it needs ${kinds[name].needs}`);
}
