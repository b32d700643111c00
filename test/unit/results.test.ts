// The files of a command as one set: killed at every single change of the folder, without links, without room, beside others.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { isLock, takeLock } from "../../src/app/cli/lock.ts";
import { Results } from "../../src/app/cli/results.ts";

/** What the file system does to a call that changes something; undefined lets it happen. */
const faults = vi.hoisted(() => {
  // Other files of the ring have loaded what is imported here with the file system as it is.
  vi.resetModules();
  return { at: (_name: string, _path: string): Error | undefined => undefined };
});
afterAll(() => vi.resetModules());

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const changes = "mkdirSync symlinkSync linkSync renameSync rmSync writeFileSync fsyncSync utimesSync".split(" ");
  const watched = Object.fromEntries(
    changes.map((name) => {
      const call = fs[name as "rmSync"] as (...given: unknown[]) => unknown;
      const wrapped = (...given: unknown[]) => {
        const error = faults.at(name, String(given[name === "symlinkSync" || name === "linkSync" ? 1 : 0]));
        if (error) throw error;
        // Nothing here outlasts the machine, and waiting for the disk takes long.
        return name === "fsyncSync" ? undefined : call(...given);
      };
      return [name, wrapped];
    }),
  );
  return { ...fs, ...watched };
});

const root = mkdtempSync(join(tmpdir(), "fallline-results-"));
afterEach(() => {
  faults.at = () => undefined;
});
afterAll(() => rmSync(root, { recursive: true }));

const names = ["run.json", "loss.svg", "model.safetensors", "best.safetensors"];
let folders = 0;
const makeFolder = () => {
  const folder = join(root, `out${folders++}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "notes.txt"), "the user's own");
  return folder;
};
const fill = (folder: string, which: readonly string[]) => {
  for (const name of which) writeFileSync(join(folder, name), `old ${name}`);
};
/** What someone who looks into the folder finds, by name. */
const look = (folder: string) =>
  Object.fromEntries(
    names
      .filter((name) => existsSync(join(folder, name)))
      .map((name) => [name, readFileSync(join(folder, name), "utf8").split(" ")[0]]),
  );
const all = (which: readonly string[], word: string) => Object.fromEntries(which.map((name) => [name, word]));

/** Writes new files over old ones in a process that is killed at the n-th change; whether it came to its end. */
async function killedAt(n: number, folder: string, fresh: readonly string[]): Promise<boolean> {
  let changes = 0;
  faults.at = () => (++changes >= n ? new Error("killed") : undefined);
  const results = await Results.open(folder, { names }).catch(() => undefined);
  try {
    if (!results) return false;
    for (const name of fresh) results.write(name, `new ${name}`);
    await results.commit();
    results.close();
  } catch (error) {
    if ((error as Error).message !== "killed") throw error;
  } finally {
    faults.at = () => undefined;
  }
  return changes < n;
}

/** The folder as it is for other processes when this one is gone. */
function bury(folder: string): void {
  const locks = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => /lock$/.test(path));
  for (const path of locks) {
    const text = readFileSync(join(folder, path), "utf8");
    // A number that no process has.
    writeFileSync(join(folder, path), text.replace(/"pid":\d+/, '"pid":2147483646'));
    utimesSync(join(folder, path), 0, 0);
  }
  for (const entry of readdirSync(folder)) if (entry.startsWith(".")) utimesSync(join(folder, entry), 0, 0);
}

describe("a set of files", () => {
  it.each([
    ["over another run's", names, names],
    ["over a run's with more files", names, names.slice(0, 3)],
    ["over a run's with fewer files", names.slice(0, 3), names],
    ["into a folder without any", [], names.slice(0, 3)],
  ])(
    "is all old or all new %s, wherever it is killed, and plain files after the next command",
    async (_, old, fresh) => {
      const seen = new Set<string>();
      let n = 1;
      for (; ; n++) {
        const folder = makeFolder();
        fill(folder, old);
        const ended = await killedAt(n, folder, fresh);
        const found = look(folder);
        const state = JSON.stringify(found) === JSON.stringify(all(fresh, "new")) ? "new" : "old";
        expect(found, `killed at change ${n}`).toEqual(state === "new" ? all(fresh, "new") : all(old, "old"));
        seen.add(state);
        bury(folder);
        const next = await Results.open(folder, { names });
        next.close();
        expect(look(folder), `after the kill at ${n}`).toEqual(found);
        expect(readdirSync(folder).sort()).toEqual([...Object.keys(found), "notes.txt"].sort());
        for (const name of Object.keys(found)) expect(lstatSync(join(folder, name)).isFile()).toBe(true);
        if (ended) break;
      }
      expect([...seen].sort()).toEqual(["new", "old"]);
      expect(n).toBeGreaterThan(20);
    },
  );

  it("is put in place one by one where there are no links, and follows none", async () => {
    const folder = makeFolder();
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, "old elsewhere");
    fill(folder, ["run.json", "best.safetensors"]);
    symlinkSync(elsewhere, join(folder, "model.safetensors"));
    faults.at = (name) =>
      name === "symlinkSync" ? Object.assign(new Error("EPERM: no links"), { code: "EPERM" }) : undefined;
    const results = await Results.open(folder, { names });
    for (const name of names.slice(0, 3)) results.write(name, `new ${name}`);
    expect(await results.commit()).toEqual([]);
    results.close();
    expect(look(folder)).toEqual(all(names.slice(0, 3), "new"));
    expect(readFileSync(elsewhere, "utf8")).toBe("old elsewhere");
    expect(readdirSync(folder).filter((entry) => entry.startsWith("."))).toEqual([]);
  });

  it.each([["with links"], ["without links"]])(
    "keeps what there is room for, and what it had to move, %s",
    async (how) => {
      const folder = makeFolder();
      fill(folder, names);
      const results = await Results.open(folder, { names });
      results.write("run.json", "new run.json");
      faults.at = (name) =>
        name === "writeFileSync" ? Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" }) : undefined;
      expect(results.write("model.safetensors", "new model")).toBe(false);
      faults.at = (name) =>
        name === "symlinkSync" && how === "without links"
          ? Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" })
          : undefined;
      results.write("loss.svg", "new loss.svg");
      expect((await results.commit()).map(({ name }) => name)).toEqual(["model.safetensors"]);
      expect(results.kept).toEqual(["run.json", "loss.svg"]);
      results.close();
      expect(look(folder)).toEqual(all(["run.json", "loss.svg"], "new"));
      expect(readFileSync(join(folder, "model.previous.safetensors"), "utf8")).toBe("old model.safetensors");
    },
  );

  it("survives the removal of its folder on the way", async () => {
    const folder = makeFolder();
    const results = await Results.open(folder, { names });
    rmSync(folder, { recursive: true });
    for (const name of names) results.write(name, `new ${name}`);
    expect(await results.commit()).toEqual([]);
    results.close();
    expect(look(folder)).toEqual(all(names, "new"));
  });

  it("of two commands that end at once is one's or the other's", async () => {
    const folder = makeFolder();
    const both = await Promise.all([1, 2].map(() => Results.open(folder, { names })));
    both.forEach((results, i) => {
      for (const name of names) results.write(name, `${i} ${name}`);
    });
    expect(await Promise.all(both.map((results) => results.commit()))).toEqual([[], []]);
    for (const results of both) results.close();
    expect(new Set(Object.values(look(folder))).size).toBe(1);
    expect(readdirSync(folder).sort()).toEqual([...names, "notes.txt"].sort());
  });

  it("is refused in a folder that a run has for itself, until that run is gone", async () => {
    const folder = makeFolder();
    const owner = await Results.open(folder, { names, owns: true });
    const words = `out is "${folder}", which belongs to a run with checkpoints (process ${process.pid})`;
    await expect(Results.open(folder, { names })).rejects.toThrow(words);
    await expect(Results.open(folder, { names, owns: true })).rejects.toThrow(words);
    owner.close();
    (await Results.open(folder, { names, owns: true })).close();
    expect(readdirSync(folder)).toEqual(["notes.txt"]);
  });
});

describe("a lock", () => {
  const path = join(root, "lock");
  const alive = () => {
    const lock = takeLock(path);
    if (isLock(lock)) lock.release();
    return !isLock(lock);
  };
  const mine = () => {
    const lock = takeLock(path);
    if (!isLock(lock)) throw new Error("it is not free");
    const text = readFileSync(path, "utf8");
    lock.release();
    return JSON.parse(text) as Record<string, unknown>;
  };

  it("holds while its process lives, and is taken over from one that does not", () => {
    const holder = mine();
    const left = (text: string, age = 0) => {
      writeFileSync(path, text);
      const at = Date.now() / 1000 - age;
      utimesSync(path, at, at);
    };
    const cases: [string, Record<string, unknown>, number, boolean][] = [
      ["this process's", {}, 0, true],
      ["of a process that is gone", { pid: 2147483646 }, 0, false],
      ["of a process before it with its number", { started: "1" }, 0, false],
      ["of the machine's last start", { boot: "a-b" }, 0, false],
      ["another machine's", { host: "elsewhere" }, 5, true],
      ["another machine's that is silent", { host: "elsewhere" }, 120, false],
    ];
    for (const [what, change, age, held] of cases) {
      left(JSON.stringify({ ...holder, ...change }), age);
      expect(alive(), what).toBe(held);
    }
    left("", 0);
    expect(alive(), "one that is being written").toBe(true);
    left("{", 10);
    expect(alive(), "one that nobody will write").toBe(false);
  });
});
