// Locks between processes: a file that only one of them can make, and that says whose it is. One that a dead process has
// left, killed or gone with its machine, is taken over.
import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, uptime } from "node:os";
import { isFull } from "./files.ts";

/** Which process holds a lock. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Of this start of the machine, where the system says. */
  readonly boot: string | null;
  /** When the process began, in the system's own count since the machine's start, where the system says. */
  readonly started: string | null;
}

/** Of another machine's process it is only known when it last touched its lock. */
const silentAfter = 60_000;
const touchEvery = 10_000;

/** How long a lock may say nothing, because its holder is about to write it. */
const emptyFor = 2000;

function thisProcess(): Holder {
  return { pid: process.pid, host: hostname(), boot: bootId(), started: startOf(process.pid) };
}

/** Whether the process that last touched its lock then is alive, as far as can be known from here. */
function isAlive({ pid, host, boot, started }: Holder, touched: number): boolean {
  if (host !== hostname()) return Date.now() - touched < silentAfter;
  if (boot !== bootId() || touched < Date.now() - 1000 * uptime() - silentAfter) return false;
  if (started !== null && started !== startOf(pid)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's cannot be asked, but is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A lock that this process holds. */
export interface Lock {
  /** Makes the file again where someone has removed it. */
  renew(): void;
  release(): void;
}

/** Takes the lock, or says which process has it. */
export function takeLock(path: string): Lock | Holder {
  const text = JSON.stringify(thisProcess());
  for (;;) {
    if (create(path, text)) return held(path, text);
    const found = look(path);
    if (!found) continue;
    const holder = living(found);
    if (holder) return holder;
    takeAway(path, found.text);
  }
}

/** Which process holds the lock; undefined for one that is free, or that a dead process left. */
export function holderOf(path: string): Holder | undefined {
  const found = look(path);
  return found && living(found);
}

export const isLock = (taken: Lock | Holder): taken is Lock => "release" in taken;

/** Takes the lock as soon as it is free; undefined where its holder keeps it for longer. */
export async function waitForLock(path: string, milliseconds: number): Promise<Lock | undefined> {
  const until = performance.now() + milliseconds;
  for (;;) {
    const taken = takeLock(path);
    if (isLock(taken)) return taken;
    if (performance.now() > until) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** False where there is such a file already. */
function create(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    // A full disk leaves an empty file, which would hold up others.
    if (isFull(error)) rmSync(path, { force: true });
    throw error;
  }
}

function held(path: string, text: string): Lock {
  const touch = setInterval(() => {
    if (look(path)?.text === text) utimesSync(path, new Date(), new Date());
  }, touchEvery);
  touch.unref();
  return {
    renew: () => void create(path, text),
    release() {
      clearInterval(touch);
      if (look(path)?.text === text) rmSync(path, { force: true });
    },
  };
}

interface Found {
  readonly text: string;
  readonly touched: number;
}

function living({ text, touched }: Found): Holder | undefined {
  const holder = readHolder(text);
  if (holder) return isAlive(holder, touched) ? holder : undefined;
  // Whoever has made it is about to write it.
  return Date.now() - touched < emptyFor ? { ...thisProcess(), pid: 0 } : undefined;
}

function look(path: string): Found | undefined {
  try {
    return { text: readFileSync(path, "utf8"), touched: statSync(path).mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Of a lock that is not written yet, or broken, nobody. */
function readHolder(text: string): Holder | undefined {
  if (!/^\{"pid":\d+,"host":"[^"\\]*","boot":(null|"[\w-]*"),"started":(null|"\d+")\}$/.test(text)) return undefined;
  return JSON.parse(text) as Holder;
}

/** Removes the lock of a dead process. Of several that try, one can rename it; the others look again. */
function takeAway(path: string, text: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  // Another process took it over and made its own since it was looked at.
  const moved = readFileSync(aside, "utf8");
  if (moved !== text) create(path, moved);
  rmSync(aside, { force: true });
}

function bootId(): string | null {
  return procFile("/proc/sys/kernel/random/boot_id")?.trim() ?? null;
}

function startOf(pid: number): string | null {
  // The name of a process, the second field, may hold anything; the start is the 20th after it.
  const stat = procFile(`/proc/${pid}/stat`);
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  // One that has ended, but whose parent has not asked about it yet, holds nothing.
  return state === "Z" || state === "X" ? null : (fields[18] ?? null);
}

/** Only Linux has them. */
function procFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return undefined;
    throw error;
  }
}
