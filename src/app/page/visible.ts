// Work waits while nobody sees the page.

/** Resolves while the page can be seen, else when it can be seen again. */
export async function visible(): Promise<void> {
  while (document.hidden) {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}
