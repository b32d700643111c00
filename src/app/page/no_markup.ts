// Trusted types, for pages whose policy asks for them (index.html).

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: Readonly<Record<"createHTML" | "createScriptURL", (text: string) => string | null>>,
  ): unknown;
}

/**
 * Refuses markup made of text, but for the empty text with which ECharts clears its element, and scripts by name, but for some;
 * to be called before anything is drawn.
 *
 * @param scripts The page's workers.
 */
export function refuseMarkup(scripts: readonly string[] = []): void {
  // TypeScript does not know them, and not every browser has them.
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", {
    createHTML: (text) => (text === "" ? "" : null),
    createScriptURL: (text) => (scripts.includes(text) ? text : null),
  });
}
