// A pad to draw a digit on, with the pointer or from a picture.
import { DataError } from "../../base/errors.ts";
import { type ImageKind, imageOf, inkOf } from "./drawing.ts";
import { h } from "./elements.ts";

/** Pixels along a side, and the width of the pen. */
const [size, pen] = [280, 24];

export class Pad {
  readonly element: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #isEmpty = true;

  /** @param onChange Called after each stroke, and when the pad is cleared. */
  constructor(onChange: () => void) {
    this.element = h("canvas", {
      class: "pad",
      id: "pad",
      width: size,
      height: size,
      tabindex: 0,
      role: "img",
      "aria-label": "a pad to draw a digit on; Delete clears it",
    });
    this.#context = this.element.getContext("2d", { willReadFrequently: true })!;
    Object.assign(this.#context, { lineWidth: pen, lineCap: "round", lineJoin: "round" });
    this.clear();
    let last: readonly [number, number] | null = null;
    const place = (event: PointerEvent): readonly [number, number] => {
      const { left, top, width, height } = this.element.getBoundingClientRect();
      return [((event.clientX - left) / width) * size, ((event.clientY - top) / height) * size];
    };
    const draw = (event: PointerEvent) => {
      const to = place(event);
      this.#context.beginPath();
      this.#context.moveTo(...(last ?? to));
      this.#context.lineTo(...to);
      this.#context.stroke();
      this.#isEmpty = false;
      last = to;
    };
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      draw(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (last) draw(event);
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      this.element.addEventListener(end, () => {
        last = null;
        onChange();
      });
    }
    this.element.addEventListener("keydown", ({ key }) => {
      if (key !== "Delete" && key !== "Backspace" && key !== "Escape") return;
      this.clear();
      onChange();
    });
  }

  clear(): void {
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, size, size);
    this.#isEmpty = true;
  }

  /**
   * Puts a picture on the pad, scaled to fit.
   *
   * @throws DataError for a file that is no picture.
   */
  async put(file: File): Promise<void> {
    const bitmap = await createImageBitmap(file).catch((error: Error) => {
      throw new DataError(`${file.name} is not a picture that this browser can read: ${error.message}`, {
        cause: error,
      });
    });
    const by = size / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width * by, bitmap.height * by];
    this.clear();
    // The space around the picture takes the colour of its corner.
    this.#context.drawImage(bitmap, 0, 0, 1, 1, 0, 0, size, size);
    this.#context.drawImage(bitmap, (size - width) / 2, (size - height) / 2, width, height);
    bitmap.close();
    this.#isEmpty = false;
  }

  /** The drawing as an image of this kind; null if the pad is empty. */
  image(kind: ImageKind): Float32Array | null {
    if (this.#isEmpty) return null;
    return imageOf(inkOf(this.#context.getImageData(0, 0, size, size).data, size), size, kind);
  }
}
