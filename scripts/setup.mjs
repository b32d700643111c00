// Prepares `npm start`, `npm test` and `npm run fallline`, with Node's built-ins alone: the locked dependencies, an up-to-date
// build, and WebGPU. Writes only to stderr, and only when it does something.
//
//   --browser   also find or install a Chrome or Chromium, and fail where there is none (the tests need it)
//   --no-build  leave dist/ as it is (`npm run dev` serves the sources)
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findChrome, findSwiftShader, mayHaveHardware } from "./webgpu.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stampPath = join(root, "node_modules", ".fallline", "setup.json");
const forTests = process.argv.includes("--browser");

/** @typedef {{ lock?: string, sources?: string, hardware?: true, chrome?: string, installFailed?: true }} Stamp */
let stamp = readStamp();

/** @returns {Stamp} what earlier runs found; empty if there was none, or it cannot be read */
function readStamp() {
  try {
    return JSON.parse(readFileSync(stampPath, "utf8"));
  } catch {
    return {};
  }
}

/** @param {Stamp} news */
function remember(news) {
  stamp = { ...stamp, ...news };
  mkdirSync(dirname(stampPath), { recursive: true });
  writeFileSync(`${stampPath}.part`, JSON.stringify(stamp));
  renameSync(`${stampPath}.part`, stampPath);
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}

/**
 * Runs a command with its output on our stderr.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ quiet?: boolean, timeout?: number }} [options]
 */
function run(command, args, { quiet = false, timeout } = {}) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", quiet ? "ignore" : 2, quiet ? "ignore" : 2],
    shell: process.platform === "win32",
    ...(timeout === undefined ? {} : { timeout }),
  });
  return status === 0;
}

/** @param {string} line @returns {never} */
function giveUp(line) {
  say(line);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    giveUp(`Node ${process.versions.node} is too old; fallline needs 20.19 or later (https://nodejs.org)`);
  }
}

function installDependencies() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (stamp.lock === lock && existsSync(join(root, "node_modules", "vite"))) return;
  say("installing the locked dependencies (npm ci) …");
  if (!run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"])) {
    giveUp("npm ci failed; see its message above. Once that is fixed, run: npm ci");
  }
  stamp = {};
  remember({ lock });
}

/** Names, sizes and times of everything that the build reads. */
function sourcesDigest() {
  const hash = createHash("sha256");
  /** @param {string} path */
  const add = (path) => {
    const info = statSync(path);
    if (info.isDirectory()) {
      // Results of the benchmark (bench/results) do not affect the build.
      for (const entry of readdirSync(path).sort()) if (entry !== "results") add(join(path, entry));
    } else {
      hash.update(`${path} ${info.size} ${info.mtimeMs}\n`);
    }
  };
  for (const name of [
    "src",
    "shaders",
    "bench",
    "scripts",
    "index.html",
    "vite.config.ts",
    "tsconfig.json",
    "package.json",
  ]) {
    add(join(root, name));
  }
  return hash.digest("hex");
}

function buildIfStale() {
  const sources = sourcesDigest();
  const built = ["lib/src/index.js", "cli.js", "page/index.html"];
  if (stamp.sources === sources && built.every((path) => existsSync(join(root, "dist", path)))) return;
  say("building (npm run build) …");
  if (!run(process.execPath, [join("scripts", "build.mjs")])) {
    giveUp("the build failed; see its message above. To build again, run: npm run build");
  }
  remember({ sources });
}

/** Whether Dawn finds an adapter without Chrome's help; checked in a separate process, until it does. */
function hasHardware() {
  if (!mayHaveHardware()) return false;
  if (stamp.hardware) return true;
  const probe = `import("./scripts/webgpu.mjs").then(async (w) => process.exit((await w.openHardware()) ? 0 : 1))`;
  const found = run(process.execPath, ["--input-type=module", "-e", probe], { quiet: true, timeout: 30_000 });
  if (found) remember({ hardware: true });
  return found;
}

function workingChrome() {
  const chosen = process.env.PUPPETEER_EXECUTABLE_PATH;
  const chrome = findChrome(stamp.chrome);
  if (chosen && chosen !== chrome) say(`PUPPETEER_EXECUTABLE_PATH is ${chosen}, which does not start`);
  if (chrome && chrome !== stamp.chrome) remember({ chrome });
  return chrome;
}

/** Tries each way to get a Chrome until one works. */
function installChrome() {
  say("no Chrome or Chromium found; installing one: npx puppeteer browsers install chrome …");
  if (
    run("npx", ["--no-install", "puppeteer", "browsers", "install", "chrome"], { timeout: 600_000 }) &&
    workingChrome()
  ) {
    return;
  }
  const debian = existsSync("/etc/debian_version");
  const apt = ["install", "-y", "--no-install-recommends", "chromium"];
  if (debian && process.getuid?.() === 0) {
    say(`that failed; trying apt-get ${apt.join(" ")} …`);
    if (!run("apt-get", apt, { quiet: true })) {
      say("apt-get update …");
      run("apt-get", ["update"], { quiet: true });
      run("apt-get", apt);
    }
  }
}

/** The one command to run to get what is missing. */
function remedy() {
  if (!existsSync("/etc/debian_version")) return "npx puppeteer browsers install chrome";
  const sudo = process.getuid?.() === 0 ? "" : "sudo ";
  return `${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends chromium`;
}

function findWebGPU() {
  const served = () => hasHardware() || (findSwiftShader() !== undefined && workingChrome() !== undefined);
  const enough = () => served() && (!forTests || workingChrome() !== undefined);
  if (enough()) return;
  // After a failure, `npm start` does not try again at every start.
  if (forTests || !stamp.installFailed) {
    installChrome();
    if (enough()) return;
    remember({ installFailed: true });
  }
  const missing = served() ? "no Chrome or Chromium for the browser tests" : "no WebGPU: no GPU driver, no Chrome";
  if (forTests) giveUp(`${missing}, and none could be installed. Run: ${remedy()}`);
  say(`${missing}; using the CPU reference. For WebGPU run: ${remedy()}`);
}

checkNode();
installDependencies();
if (!process.argv.includes("--no-build")) buildIfStale();
findWebGPU();
