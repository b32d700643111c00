// The page's service worker: caches the page's files, so that it works without a connection once it has been loaded. It is
// built as one file, offline.js, beside files.json, the list of what to keep (vite.config.ts).

/** The globals of a service worker; TypeScript's types for it exclude those of a page. */
interface Worker {
  addEventListener(type: "install" | "activate", listener: (event: Waiting) => void): void;
  addEventListener(type: "fetch", listener: (event: Asked) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}

interface Waiting {
  waitUntil(work: Promise<unknown>): void;
}

interface Asked {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const worker = globalThis as unknown as Worker; // only a service worker runs this file

/** The contents of files.json: a build's name, and its files relative to the page. */
interface Files {
  readonly build: string;
  readonly files: readonly string[];
}

const prefix = "fallline-";
/** Data sets: the same in every build, and cached once they have been requested. */
const dataCache = `${prefix}data`;

worker.addEventListener("install", (event) => {
  event.waitUntil(install());
});

async function install(): Promise<void> {
  const { build, files } = (await (await fetch("files.json", { cache: "no-store" })).json()) as Files;
  const cache = await caches.open(prefix + build);
  await cache.addAll(files);
  await worker.skipWaiting();
}

worker.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

/** Deletes the files of all builds but the newest. */
async function activate(): Promise<void> {
  const builds = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== dataCache);
  await Promise.all(builds.slice(0, -1).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});

/**
 * Pages come from the network while there is one, so that a new build is seen; everything else comes from the cache. A file is the
 * same for every request, whatever its host's headers say.
 */
async function answer(request: Request): Promise<Response> {
  if (request.mode !== "navigate") {
    const kept = await caches.match(request, { ignoreVary: true });
    if (kept) return kept;
  }
  try {
    const response = await fetch(request);
    if (response.ok && new URL(request.url).pathname.endsWith(".idx")) {
      await (await caches.open(dataCache)).put(request, response.clone());
    }
    return response;
  } catch (error) {
    const kept = await caches.match(request, { ignoreSearch: true, ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}
