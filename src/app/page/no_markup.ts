// Trusted types, for pages whose policy asks for them (index.html).

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: Readonly<Record<"createHTML" | "createScriptURL", (text: string) => string | null>>,
  ): unknown;
}

/**
 * Refuses markup from text, except the empty text with which ECharts clears its element, and scripts by URL, except `scripts`.
 * Call it before anything is drawn.
 *
 * @param scripts URLs of the page's workers.
 */
export function refuseMarkup(scripts: readonly string[] = []): void {
  // TypeScript does not know trusted types, and not every browser has them.
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", {
    createHTML: (text) => (text === "" ? "" : null),
    createScriptURL: (text) => (scripts.includes(text) ? text : null),
  });
}
