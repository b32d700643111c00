// The safetensors format (github.com/huggingface/safetensors): eight bytes of header length, little-endian; a JSON header
// of { name: { dtype, shape, data_offsets } } with an optional __metadata__ of strings, padded with spaces so that the
// data begins at a multiple of eight; then the tensors' bytes, without gaps. We write F32. We read F64, F32, F16, BF16,
// I64, I32, U8 and BOOL, all into float32: a value that float32 does not hold is rounded (a large F64 to an infinity).
//
// Files that we write are sealed: the metadata `fallline.crc32` holds the CRC-32 of the header (length included, its own eight
// digits taken as zeros), then that of each tensor's bytes in their order.
import { crc32 } from "./checksum.ts";
import { DataError, OptionError, refusal, show } from "./errors.ts";
import { inMemory } from "./host_memory.ts";
import { bytesOf, isOptions, readMade } from "./options.ts";

/** A tensor of a safetensors file. */
export interface SafeTensor {
  /** Its sizes, outermost first. */
  readonly shape: readonly number[];
  /** Its elements, row-major. */
  readonly data: Float32Array;
}

/** The contents of a safetensors file. */
export interface SafeTensors {
  /** Texts by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors by name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
}

/** The key of the checksums in the metadata. */
const sealKey = "fallline.crc32";
const sealStart = `"${sealKey}":"`;
const blank = "00000000";

/**
 * The bytes of a safetensors file; tensors are written in the map's order. Its metadata gets checksums (`fallline.crc32`)
 * by which {@link decodeSafetensors} finds damage.
 *
 * @throws OptionError for an invalid file, and for a tensor whose shape does not match its data; DeviceError where the
 * process has no memory for them.
 */
export function encodeSafetensors(file: SafeTensors): Uint8Array<ArrayBuffer> {
  checkFile(file);
  const seals = [blank];
  const entries: string[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of file.tensors) {
    const entry = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    entries.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    seals.push(crc32(littleEndian(data)));
    offset += data.byteLength;
  }
  const metadata = Object.entries(file.metadata)
    .filter(([key]) => key !== sealKey)
    .map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`);
  // Not as one object, which would move numeric names to the front: the checksums are at the same place in every
  // file.
  const before = `{"__metadata__":{${sealStart}`;
  const text = `${before}${seals.join(" ")}"${metadata.join("")}}${entries.map((entry) => `,${entry}`).join("")}}`;
  const json = new TextEncoder().encode(text);
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = inMemory(
    `a file of ${8 + headerLength + offset} bytes`,
    () => new Uint8Array(8 + headerLength + offset),
  );
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(json, 8);
  bytes.set(new TextEncoder().encode(crc32(bytes.subarray(0, 8 + headerLength))), 8 + before.length);
  let at = 8 + headerLength;
  for (const { data } of file.tensors.values()) {
    bytes.set(littleEndian(data), at);
    at += data.byteLength;
  }
  return bytes;
}

function checkFile(file: SafeTensors): void {
  readMade("file", file, "{ metadata, tensors }", { metadata: "object", tensors: "object" });
  const { metadata, tensors } = file;
  if (!(tensors instanceof Map)) throw refusal("file.tensors", tensors, "a Map");
  if (!isOptions(metadata)) throw refusal("file.metadata", metadata, "an object of strings");
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value === "string") continue;
    throw refusal(`file.metadata[${show(key)}]`, value, "a string");
  }
  for (const [name, tensor] of tensors) {
    if (typeof name !== "string") throw new OptionError(`file.tensors has the name ${show(name)}; it must be a string`);
    const called = `the tensor ${show(name)}`;
    const { shape, data } = readMade(called, tensor, "{ shape, data }", { shape: "array", data: "object" });
    if (!isNumbers(shape)) throw new OptionError(`${called} has shape ${show(shape)}; it must hold whole numbers >= 0`);
    if (!(data instanceof Float32Array)) {
      throw new OptionError(`${called} has the data ${show(data)}; it must be a Float32Array`);
    }
    const length = shape.reduce((product, size) => product * size, 1);
    if (length === data.length) continue;
    throw new OptionError(`${called} has ${data.length} numbers; its shape [${shape.join(", ")}] holds ${length}`);
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The bytes of float32 in little-endian order; not copied on a little-endian machine. */
function littleEndian(data: Float32Array): Uint8Array {
  if (isLittleEndian) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const view = new DataView(new ArrayBuffer(data.byteLength));
  data.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return new Uint8Array(view.buffer);
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
 * Reads a safetensors file into float32, whatever its dtypes; a value that float32 cannot hold is rounded. Allocates
 * nothing before the whole header is known to fit the data. Files that fallline wrote are checked against their checksums,
 * which are not part of the metadata returned.
 *
 * @throws DataError for an invalid header, an unknown dtype, a tensor that does not fit the data, or damage; DeviceError
 * where the process has no memory for it.
 */
export function decodeSafetensors(bytes: Uint8Array | ArrayBuffer): SafeTensors {
  const { metadata, tensors } = openSafetensors(bytes);
  return { metadata, tensors };
}

/** One tensor of a header. */
interface Entry {
  readonly name: string;
  readonly dtype: unknown;
  readonly shape: readonly number[];
  readonly length: number;
  readonly begin: number;
  readonly end: number;
}

/** {@link decodeSafetensors}, and whether the file had checksums. */
export function openSafetensors(file: Uint8Array | ArrayBuffer): SafeTensors & { readonly sealed: boolean } {
  const bytes = bytesOf(file);
  if (!bytes) throw new DataError(`not a safetensors file: ${show(file)}, not a Uint8Array or an ArrayBuffer`);
  if (bytes.length < 8) throw new DataError(`not a safetensors file: ${bytes.length} bytes, the header needs 8`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > bytes.length - 8) {
    throw new DataError(`not a safetensors file: a header of ${headerLength} bytes in a file of ${bytes.length}`);
  }
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, 8 + headerLength));
    header = JSON.parse(text);
  } catch (error) {
    throw new DataError(`not a safetensors file: its header is not JSON (${(error as Error).message})`, {
      cause: error,
    });
  }
  if (!isRecord(header)) throw new DataError("not a safetensors file: its header is not an object");
  const described = new Map(Object.entries(header));
  const given = described.get("__metadata__") ?? {};
  described.delete("__metadata__");
  if (!isRecord(given) || Object.values(given).some((value) => typeof value !== "string")) {
    throw new DataError("safetensors: __metadata__ must be an object of strings");
  }
  const { [sealKey]: seal, ...metadata } = given as Record<string, string>;
  const checksums = seal?.split(" ");
  if (checksums) checkHeader(bytes.subarray(0, 8 + headerLength), text, checksums, described.size);
  // A single flipped bit must not turn a file with checksums into one without.
  const broken = Object.keys(metadata).find((key) => lettersApart(key, sealKey) === 1);
  if (broken !== undefined) throw new DataError(`safetensors: its header is damaged: ${show(broken)} is ${sealKey}`);

  const dataStart = 8 + headerLength;
  const entries = [...described].map(([name, entry]) => readEntry(name, entry, bytes.length - dataStart));
  const inOrder = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { begin, end } of inOrder) {
    if (begin !== covered) throw new DataError(`safetensors: the data has a gap or an overlap at byte ${covered}`);
    covered = end;
  }
  if (dataStart + covered !== bytes.length) {
    throw new DataError(`safetensors: ${bytes.length - dataStart - covered} bytes follow the last tensor`);
  }
  inOrder.forEach(({ name, begin, end }, i) => {
    const checksum = checksums && crc32(bytes.subarray(dataStart + begin, dataStart + end));
    if (!checksums || checksum === checksums[1 + i]) return;
    throw new DataError(
      `safetensors: the data of ${show(name)} is damaged: its checksum is ${checksum}, the file has ${show(checksums[1 + i])}`,
    );
  });
  const tensors = new Map(
    entries.map(({ name, dtype, shape, length, begin, end }) => {
      const part = bytes.subarray(dataStart + begin, dataStart + end);
      const data = inMemory(`the ${length} numbers of ${show(name)}`, () => readNumbers(dtype, part, length));
      return [name, { shape, data }];
    }),
  );
  return { metadata, tensors, sealed: checksums !== undefined };
}

/** @throws DataError unless the header is the sealed one. */
function checkHeader(header: Uint8Array, text: string, checksums: readonly string[], tensors: number): void {
  const at = text.indexOf(sealStart);
  const blanked = new Uint8Array(header);
  const seal = 8 + new TextEncoder().encode(text.slice(0, at + sealStart.length)).length;
  blanked.set(new TextEncoder().encode(blank), seal);
  const checksum = crc32(blanked);
  if (at >= 0 && checksum === checksums[0] && checksums.length === 1 + tensors) return;
  throw new DataError(
    `safetensors: its header is damaged, or another program changed it: its checksum is ${checksum}, the file has ${show(checksums[0])} (in the metadata ${sealKey}, without which it is not checked)`,
  );
}

/** One entry of the header, checked against the bytes of data that there are. */
function readEntry(name: string, entry: unknown, available: number): Entry {
  const owner = `safetensors: ${show(name)}`;
  if (!isRecord(entry)) throw refusal(owner, entry, "an object", DataError);
  const { dtype, shape, data_offsets: offsets } = entry;
  const kind = dtypes.get(dtype);
  if (!kind) {
    throw new DataError(
      `${owner} has dtype ${typeof dtype === "string" ? show(dtype).slice(1, -1) : show(dtype)}; it must be one of ${[...dtypes.keys()].join(", ")}`,
    );
  }
  if (!isNumbers(shape) || !isNumbers(offsets) || offsets.length !== 2) {
    throw new DataError(`${owner} lacks a shape or two data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  const length = shape.reduce((product, size) => product * size, 1);
  if (end - begin !== length * kind.size || end > available) {
    throw new DataError(
      `${owner} of shape ${show(shape)} needs ${length * kind.size} bytes; its data_offsets are ${show(offsets)} in a file with ${available} bytes of data`,
    );
  }
  return { name, dtype, shape, length, begin, end };
}

function readNumbers(dtype: unknown, part: Uint8Array, length: number): Float32Array {
  if (dtype === "F32" && isLittleEndian) return new Float32Array(new Uint8Array(part).buffer);
  const { size, read } = dtypes.get(dtype)!;
  const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
  const data = new Float32Array(length);
  for (let i = 0; i < length; i++) data[i] = read(view, size * i);
  return data;
}

/** How many characters differ in two words of equal length. */
function lettersApart(a: string, b: string): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return [...a].filter((letter, i) => letter !== b[i]).length;
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
