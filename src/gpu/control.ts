// The control buffer's layout on the host's side (shaders/control.wgsl declares it).
import { OptionError } from "../errors.ts";
import type { Stats } from "../optimizer.ts";

/** Byte offsets of the fields. */
export const controlOffsets = {
  step: 0,
  arrived: 4,
  skip: 8,
  skipped: 12,
  gradientNorm: 16,
  clipScale: 20,
  maxNorm: 24,
  epoch: 28,
} as const;

export const controlBytes = 32;

/** The bytes of a control buffer before its next step. */
export function encodeControl(
  { step, skipped, epoch }: { readonly step: number; readonly skipped: number; readonly epoch: number },
  maxNorm: number | undefined,
): Uint8Array<ArrayBuffer> {
  const bytes = new ArrayBuffer(controlBytes);
  const view = new DataView(bytes);
  view.setUint32(controlOffsets.step, step, true);
  view.setUint32(controlOffsets.skipped, skipped, true);
  view.setFloat32(controlOffsets.gradientNorm, Number.NaN, true);
  view.setFloat32(controlOffsets.clipScale, 1, true);
  view.setFloat32(controlOffsets.maxNorm, maxNorm ?? 0, true);
  view.setUint32(controlOffsets.epoch, epoch, true);
  return new Uint8Array(bytes);
}

export function decodeControl(bytes: ArrayBuffer, offset = 0): Stats & { readonly epoch: number } {
  if (bytes.byteLength < offset + controlBytes) {
    throw new OptionError(
      `a copy of the control buffer has ${bytes.byteLength - offset} bytes from offset ${offset}; it needs ${controlBytes}`,
    );
  }
  const view = new DataView(bytes, offset, controlBytes);
  return {
    epoch: view.getUint32(controlOffsets.epoch, true),
    step: view.getUint32(controlOffsets.step, true),
    skipped: view.getUint32(controlOffsets.skipped, true),
    gradientNorm: view.getFloat32(controlOffsets.gradientNorm, true),
    clipScale: view.getFloat32(controlOffsets.clipScale, true),
  };
}
