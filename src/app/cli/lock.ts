// Locks between processes: a file that only one of them can create, and that names its holder. A lock left by a dead process,
// killed or gone with its machine, is taken over.
import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, uptime } from "node:os";
import { isFull } from "./files.ts";

/** Which process holds a lock. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Identifies this boot of the machine; null where the system has no such id. */
  readonly boot: string | null;
  /** When the process started, in the system's ticks since boot; null where the system does not say. */
  readonly started: string | null;
}

/** For a process of another machine, only the time when it last touched its lock is known. */
const silentAfter = 60_000;
const touchEvery = 10_000;

/** How long a lock may be empty, because its holder is about to write it. */
const emptyFor = 2000;

function thisProcess(): Holder {
  return { pid: process.pid, host: hostname(), boot: bootId(), started: startOf(process.pid) };
}

/** Whether the process that last touched its lock at `touched` is alive, as far as can be known from here. */
function isAlive({ pid, host, boot, started }: Holder, touched: number): boolean {
  if (host !== hostname()) return Date.now() - touched < silentAfter;
  if (boot !== bootId() || touched < Date.now() - 1000 * uptime() - silentAfter) return false;
  if (started !== null && started !== startOf(pid)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process cannot be signalled, but exists.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A lock that this process holds. */
export interface Lock {
  /** Creates the file again if someone has removed it. */
  renew(): void;
  release(): void;
}

/** Takes the lock, or returns its holder. */
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

/** The process that holds the lock; undefined if it is free, or left by a dead process. */
export function holderOf(path: string): Holder | undefined {
  const found = look(path);
  return found && living(found);
}

export const isLock = (taken: Lock | Holder): taken is Lock => "release" in taken;

/** Takes the lock as soon as it is free; undefined if its holder keeps it for longer. */
export async function waitForLock(path: string, milliseconds: number): Promise<Lock | undefined> {
  const until = performance.now() + milliseconds;
  for (;;) {
    const taken = takeLock(path);
    if (isLock(taken)) return taken;
    if (performance.now() > until) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** False if the file already exists. */
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
  // The process that created it is about to write it.
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

/** Undefined for a lock that is not written yet, or broken. */
function readHolder(text: string): Holder | undefined {
  if (!/^\{"pid":\d+,"host":"[^"\\]*","boot":(null|"[\w-]*"),"started":(null|"\d+")\}$/.test(text)) return undefined;
  return JSON.parse(text) as Holder;
}

/** Removes the lock of a dead process. If several processes try, one can rename it; the others look again. */
function takeAway(path: string, text: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  // Another process has since taken it over and created its own.
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
  // A process that has ended, but that its parent has not waited for yet, holds nothing.
  return state === "Z" || state === "X" ? null : (fields[18] ?? null);
}

/** A file of /proc, which only Linux has. */
function procFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return undefined;
    throw error;
  }
}
