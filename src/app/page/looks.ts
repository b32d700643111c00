// The page's looks: light or dark, and large for a projector, as chosen by the visitor and kept in the browser; and its colours for
// drawing on a canvas.

const [themeKey, largeKey] = ["fallline-theme", "fallline-large"];
const themes = ["auto", "light", "dark"] as const;

/** Wires the buttons "theme" and "large". @param onChange Called when colours have changed. */
export function followLooks(onChange: () => void): void {
  const root = document.documentElement;
  const [theme, large] = ["theme", "large"].map((id) => document.getElementById(id)!);
  const show = () => {
    const name = root.dataset.theme ?? "auto";
    theme!.textContent = `Theme: ${name}`;
    large!.setAttribute("aria-pressed", String(root.dataset.large === "on"));
    onChange();
  };
  const saved = kept(themeKey);
  if (saved === "light" || saved === "dark") root.dataset.theme = saved;
  if (kept(largeKey) === "on") root.dataset.large = "on";
  theme!.addEventListener("click", () => {
    const next =
      themes[(themes.indexOf((root.dataset.theme ?? "auto") as (typeof themes)[number]) + 1) % themes.length]!;
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    keep(themeKey, next);
    show();
  });
  large!.addEventListener("click", () => {
    if (root.dataset.large === "on") delete root.dataset.large;
    else root.dataset.large = "on";
    keep(largeKey, root.dataset.large ?? "off");
    show();
    dispatchEvent(new Event("resize"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  show();
}

/** Whether the visitor prefers reduced motion. */
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Whether the page is dark now. */
export function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Pixels of a rem. */
export const rem = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize);

/** A colour of style.css by name, such as "ink" or "run-0", in the form that a canvas takes. */
export function color(name: string): string {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Red, green and blue of a colour returned by {@link color}. */
export function channelsOf(text: string): readonly number[] {
  const context = new OffscreenCanvas(1, 1).getContext("2d")!;
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
}

// Storage may be unavailable (private windows, blocked storage); then a choice lasts as long as the page.
function kept(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
