// Trusted types, for pages whose policy asks for them (index.html).

interface TrustedTypes {
  createPolicy(name: string, rules: { createHTML(text: string): string | null }): unknown;
}

/**
 * Refuses markup made of text, but for the empty text with which ECharts clears its element; to be called before anything is
 * drawn.
 */
export function refuseMarkup(): void {
  // TypeScript does not know them, and not every browser has them.
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", { createHTML: (text) => (text === "" ? "" : null) });
}
