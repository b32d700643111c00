// Files into and out of the page: a button to choose one, a place to drop one, and a download.
import { h } from "./elements.ts";

/** A button that chooses a file. @param accept File extensions, as for a file input. */
export function fileButton(id: string, label: string, accept: string, onFile: (file: File) => void): HTMLElement {
  const input = h("input", { type: "file", id, accept });
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    // Allows the same file to be chosen again after a change.
    input.value = "";
    if (file) onFile(file);
  });
  return h("label", { class: "file" }, label, input);
}

/** Takes what is dropped anywhere on the page, as long as a view is open. */
export function takeDrops(closed: AbortSignal, onFiles: (files: readonly File[]) => void): void {
  const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") === true;
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault(), { signal: closed });
  addEventListener(
    "drop",
    (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      onFiles([...event.dataTransfer!.files]);
    },
    { signal: closed },
  );
}

/** Downloads a file. */
export function download(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  link.click();
  // The browser has read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
