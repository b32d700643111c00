// The safetensors format (github.com/huggingface/safetensors): eight bytes of header length, little-endian; a JSON header
// of { name: { dtype, shape, data_offsets } } with an optional __metadata__ of strings, padded with spaces so that the
// data begins at a multiple of eight; then the tensors' bytes, without gaps. We write F32. We read F64, F32, F16, BF16,
// I64, I32, U8 and BOOL, all into float32: a value that float32 does not hold is rounded (a large F64 to an infinity).
import { DataError, show } from "./errors.ts";

export interface SafeTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface SafeTensors {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, SafeTensor>;
}

/** The bytes of a safetensors file; tensors are written in the map's order. */
export function encodeSafetensors(file: SafeTensors): Uint8Array<ArrayBuffer> {
  // Without a prototype, so that no tensor's name means anything else.
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(file.metadata).length > 0) header.__metadata__ = file.metadata;
  let offset = 0;
  for (const [name, { shape, data }] of file.tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + offset);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(json, 8);
  let at = 8 + headerLength;
  for (const { data } of file.tensors.values()) {
    for (let i = 0; i < data.length; i++, at += 4) view.setFloat32(at, data[i]!, true);
  }
  return bytes;
}

/** How a number of each dtype is read. */
const dtypes = new Map<unknown, { readonly size: number; read(view: DataView, at: number): number }>([
  ["F64", { size: 8, read: (view, at) => view.getFloat64(at, true) }],
  ["F32", { size: 4, read: (view, at) => view.getFloat32(at, true) }],
  ["F16", { size: 2, read: (view, at) => halfOf(view.getUint16(at, true)) }],
  ["BF16", { size: 2, read: (view, at) => brainOf(view.getUint16(at, true)) }],
  ["I64", { size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }],
  ["I32", { size: 4, read: (view, at) => view.getInt32(at, true) }],
  ["U8", { size: 1, read: (view, at) => view.getUint8(at) }],
  ["BOOL", { size: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) }],
]);

/**
 * Reads a safetensors file into float32, whatever dtypes it holds; a value that float32 does not hold is rounded.
 *
 * @throws DataError that says what is wrong with the header, which dtype is not read or which tensor does not fit the
 * data.
 */
export function decodeSafetensors(bytes: Uint8Array): SafeTensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) throw new DataError(`not a safetensors file: ${bytes.length} bytes, the header needs 8`);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > bytes.length - 8) {
    throw new DataError(`not a safetensors file: a header of ${headerLength} bytes in a file of ${bytes.length}`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + headerLength)));
  } catch (error) {
    throw new DataError(`not a safetensors file: its header is not JSON (${(error as Error).message})`);
  }
  if (!isRecord(header)) throw new DataError("not a safetensors file: its header is not an object");
  const dataStart = 8 + headerLength;
  const tensors = new Map<string, SafeTensor>();
  const ranges: [number, number][] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (!isRecord(entry) || Object.values(entry).some((value) => typeof value !== "string")) {
        throw new DataError("safetensors: __metadata__ must be an object of strings");
      }
      metadata = entry as Record<string, string>;
      continue;
    }
    if (!isRecord(entry)) throw new DataError(`safetensors: "${name}" is ${show(entry)}; it must be an object`);
    const { dtype, shape, data_offsets: offsets } = entry;
    const kind = dtypes.get(dtype);
    if (!kind) {
      throw new DataError(
        `safetensors: "${name}" has dtype ${dtype}; it must be one of ${[...dtypes.keys()].join(", ")}`,
      );
    }
    const { size: bytesEach, read } = kind;
    if (!isNumbers(shape) || !isNumbers(offsets) || offsets.length !== 2) {
      throw new DataError(`safetensors: "${name}" lacks a shape or two data_offsets`);
    }
    const [begin, end] = offsets as [number, number];
    const length = shape.reduce((product, size) => product * size, 1);
    if (end - begin !== length * bytesEach || begin < 0 || dataStart + end > bytes.length) {
      throw new DataError(
        `safetensors: "${name}" of shape [${shape}] needs ${length * bytesEach} bytes; its data_offsets are [${offsets}] in a file with ${bytes.length - dataStart} bytes of data`,
      );
    }
    ranges.push([begin, end]);
    const data = new Float32Array(length);
    for (let i = 0; i < length; i++) data[i] = read(view, dataStart + begin + bytesEach * i);
    tensors.set(name, { shape, data });
  }
  let covered = 0;
  for (const [begin, end] of ranges.sort(([a], [b]) => a - b)) {
    if (begin !== covered) throw new DataError(`safetensors: the data has a gap or an overlap at byte ${covered}`);
    covered = end;
  }
  if (dataStart + covered !== bytes.length) {
    throw new DataError(`safetensors: ${bytes.length - dataStart - covered} bytes follow the last tensor's`);
  }
  return { metadata, tensors };
}

/** IEEE half precision: a sign, 5 bits of exponent, 10 of fraction. */
function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a float32. */
function brainOf(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 0);
}
