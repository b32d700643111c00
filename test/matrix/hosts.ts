// Where the cases run: each implementation of WebGPU with each driver that it may take, as a process or a page that reports line by
// line and is ended where it does not end by itself.
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { type BrowserName, launch } from "../../bench/browser.ts";
import { DeviceError } from "../../src/base/errors.ts";
import type { Asked, Report } from "./agent.ts";
import type { Driver, Machine } from "./have.ts";

/** The bundle that agents run, and the folder of the files that cases read. */
export interface Served {
  readonly bundle: string;
  readonly files: string;
}

/** An implementation with a driver. */
export interface Host {
  readonly implementation: string;
  readonly driver: string;
  run(served: Served, asked: Asked, report: (line: Report) => void): Promise<void>;
}

/** Seconds that an agent may take beyond what it is given: to start, and to finish the case that it is at. */
const limitOf = ({ seconds, quick }: Asked) => Math.round(seconds + (quick ? 60 : 600));

/** Every implementation that is here with every driver that it takes. */
export function hostsOf({ programs, drivers }: Machine): readonly Host[] {
  const { deno, bun, chrome, firefox } = programs;
  return drivers.flatMap((driver): readonly Host[] => {
    const dawn = driver.name === "SwiftShader" ? "swiftshader" : "driver";
    return [
      processHost("Node, Dawn", driver, process.execPath, [], dawn),
      ...(bun ? [processHost("Bun, Dawn", driver, bun, [], dawn)] : []),
      ...(deno
        ? [processHost("Deno, wgpu", driver, deno, ["run", "--quiet", "--unstable-webgpu", "-A"], "navigator")]
        : []),
      // A Chrome has SwiftShader with it, and looks for no other driver in its environment.
      ...(chrome && !driver.name.startsWith("lavapipe") ? [pageHost("Chrome, Dawn", driver, "chrome", chrome)] : []),
      ...(firefox ? [pageHost("Firefox, wgpu", driver, "firefox", firefox)] : []),
    ];
  });
}

function processHost(
  implementation: string,
  driver: Driver,
  command: string,
  words: readonly string[],
  how: "navigator" | "driver" | "swiftshader",
): Host {
  return {
    implementation,
    driver: driver.name,
    async run({ bundle, files }, asked, report) {
      const script = join(import.meta.dirname, "process.mjs");
      const posix = process.platform !== "win32";
      const child = spawn(command, [...words, script, bundle, files, how, JSON.stringify(asked)], {
        env: { ...process.env, ...driver.env },
        stdio: ["ignore", "pipe", "pipe"],
        // Its own group, so that what a launcher has started ends with it.
        detached: posix,
        shell: !posix && command.endsWith(".cmd"),
      });
      const end = () => {
        if (child.pid === undefined || child.exitCode !== null) return;
        if (posix) process.kill(-child.pid, "SIGKILL");
        else child.kill();
      };
      let ended = false;
      let late = false;
      const errors: string[] = [];
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        errors.splice(0, errors.length - 20);
        errors.push(...text.split("\n").filter((line) => line.trim() !== ""));
      });
      const timer = setTimeout(() => {
        late = true;
        end();
      }, 1000 * limitOf(asked));
      process.once("exit", end);
      const closed = new Promise<number | null>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", resolve);
      });
      for await (const text of createInterface({ input: child.stdout })) {
        // Drivers write here too.
        if (!text.startsWith("{")) continue;
        const line = JSON.parse(text) as Report;
        ended ||= line.type === "ended";
        report(line);
      }
      const code = await closed;
      clearTimeout(timer);
      process.off("exit", end);
      if (ended) return;
      const last = errors.at(-1) ?? "no message";
      report({
        type: "ended",
        problem: late ? `it was stopped after ${limitOf(asked)} s` : `it died (${code}): ${last}`,
      });
    },
  };
}

function pageHost(implementation: string, driver: Driver, name: BrowserName, path: string): Host {
  return {
    implementation,
    driver: driver.name,
    async run(served, asked, report) {
      let ended = false;
      const tell = (line: Report) => {
        if (ended) return;
        ended = line.type === "ended";
        report(line);
      };
      const server = await serve(served);
      try {
        const browser = await launch(name, path, false, driver.env);
        const timer = setTimeout(() => {
          tell({ type: "ended", problem: `it was stopped after ${limitOf(asked)} s` });
          browser.close().catch((error: unknown) => console.error(`matrix: ${String(error)}`));
        }, 1000 * limitOf(asked));
        try {
          const page = await browser.newPage();
          await page.exposeFunction("report", (text: string) => tell(JSON.parse(text) as Report));
          await page.goto(server.address);
          await page.evaluate(pageScript(asked));
        } finally {
          clearTimeout(timer);
          await browser.close();
        }
        tell({ type: "ended", problem: "the page ended without a message" });
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        tell({ type: "ended", problem: error instanceof DeviceError ? error.message : `it died: ${error.message}` });
      } finally {
        server.close();
      }
    },
  };
}

const pageScript = (asked: Asked) => `(async () => {
  const { runMatrix } = await import("/agent.mjs");
  const read = async (name) => new Uint8Array(await (await fetch("/files/" + name)).arrayBuffer());
  const lines = [];
  await runMatrix(navigator.gpu, read, ${JSON.stringify(asked)}, (line) => lines.push(window.report(JSON.stringify(line))));
  await Promise.all(lines);
})()`;

/** A page with nothing on it, the bundle and the files. */
async function serve({ bundle, files }: Served): Promise<{ address: string; close(): void }> {
  const server = createServer(({ url = "/" }, response) => {
    if (url === "/") {
      response.setHeader("content-type", "text/html").end("<!doctype html><title>matrix</title>");
      return;
    }
    const path = url === "/agent.mjs" ? bundle : join(files, basename(url));
    response.setHeader("content-type", path.endsWith("mjs") ? "text/javascript" : "application/octet-stream");
    createReadStream(path)
      .on("error", () => response.writeHead(404).end())
      .pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server has no port");
  return {
    address: `http://127.0.0.1:${address.port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
