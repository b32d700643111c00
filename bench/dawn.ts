// Loads the benchmark's cases for Node: Node runs no TypeScript that imports WGSL, and the peers' files are made for bundlers, so
// Vite loads both, as for the page.
import { createServer } from "vite";
import { root } from "./serve.ts";

export interface NodePage {
  readonly page: typeof import("./node_page.ts");
  close(): Promise<void>;
}

/** Stays open while cases run, since each peer is imported for its turn. */
export async function openNodePage(): Promise<NodePage> {
  const server = await createServer({
    root,
    configFile: false,
    logLevel: "error",
    appType: "custom",
    server: { middlewareMode: true, watch: null, ws: false, hmr: false },
    optimizeDeps: { noDiscovery: true, include: [] },
    // Its modules import each other without file extensions, which Node does not accept.
    ssr: { noExternal: [/^@tensorflow\//] },
  });
  try {
    const page = (await server.ssrLoadModule("/bench/node_page.ts")) as NodePage["page"];
    return { page, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}
