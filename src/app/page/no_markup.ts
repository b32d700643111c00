// Trusted types, for pages whose policy asks for them (index.html).

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: Readonly<Record<"createHTML" | "createScriptURL", (text: string) => string | null>>,
  ): unknown;
}

/** The page's service worker, the only script that is asked for by name. */
export const workerScript = "offline.js";

/**
 * Refuses markup made of text, but for the empty text with which ECharts clears its element, and scripts by name, but for the
 * page's service worker; to be called before anything is drawn.
 */
export function refuseMarkup(): void {
  // TypeScript does not know them, and not every browser has them.
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", {
    createHTML: (text) => (text === "" ? "" : null),
    createScriptURL: (text) => (text === workerScript ? text : null),
  });
}
