// The safetensors format, byte for byte, and files that are not it.
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/base/checksum.ts";
import { DataError } from "../../src/base/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/base/safetensors.ts";

const file = {
  metadata: { format: "test" },
  tensors: new Map([
    ["w", { shape: [2, 1], data: Float32Array.of(1, -2) }],
    ["scalar", { shape: [], data: Float32Array.of(0.5) }],
  ]),
};

describe("safetensors", () => {
  it("is laid out as the format says", () => {
    const bytes = encodeSafetensors(file);
    const view = new DataView(bytes.buffer);
    const length = Number(view.getBigUint64(0, true));
    expect((8 + length) % 8).toBe(0);
    const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    expect(header.startsWith("{")).toBe(true);
    expect(header.trimEnd()).toBe(
      '{"__metadata__":{"fallline.crc32":"9e712835 c3872656 9722f221","format":"test"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"scalar":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}',
    );
    expect(bytes.length).toBe(8 + length + 12);
    expect([0, 4, 8].map((at) => view.getFloat32(8 + length + at, true))).toEqual([1, -2, 0.5]);
  });

  it("comes back as it was, also out of a larger buffer", () => {
    const bytes = encodeSafetensors(file);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const { metadata, tensors } = decodeSafetensors(shifted.subarray(3));
    expect(metadata).toEqual(file.metadata);
    expect([...tensors]).toEqual([...file.tensors]);
  });

  it("comes back out of a Buffer, which Node's files are, and leaves it as it was", () => {
    const buffer = Buffer.from(encodeSafetensors(file));
    const before = Uint8Array.from(buffer);
    expect([...decodeSafetensors(buffer).tensors]).toEqual([...file.tensors]);
    expect(Uint8Array.from(buffer)).toEqual(before);
  });

  const withHeader = (header: string, data = 0) => {
    const bytes = new Uint8Array(8 + header.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    return bytes;
  };
  it.each<[string, number, (view: DataView, at: number, value: number) => void, [stored: number, read: number][]]>([
    [
      "F64",
      8,
      (view, at, value) => view.setFloat64(at, value, true),
      [
        [-0.25, -0.25],
        [0.1, Math.fround(0.1)],
        [1e300, Number.POSITIVE_INFINITY],
      ],
    ],
    [
      "F16",
      2,
      (view, at, bits) => view.setUint16(at, bits, true),
      [
        [0x3c00, 1],
        [0xc100, -2.5],
        [0x3555, 0.333251953125],
        [0x7bff, 65504],
        [0x0400, 2 ** -14],
        [0x0001, 2 ** -24],
        [0x83ff, -1023 * 2 ** -24],
        [0x8000, -0],
        [0x7c00, Number.POSITIVE_INFINITY],
        [0xfc00, Number.NEGATIVE_INFINITY],
        [0x7e00, Number.NaN],
      ],
    ],
    [
      "BF16",
      2,
      (view, at, bits) => view.setUint16(at, bits, true),
      [
        [0x3f80, 1],
        [0xc049, -3.140625],
        [0x0001, 2 ** -133],
        [0xff80, Number.NEGATIVE_INFINITY],
        [0x7fc0, Number.NaN],
      ],
    ],
    [
      "I64",
      8,
      (view, at, value) => view.setBigInt64(at, BigInt(value), true),
      [
        [-3, -3],
        [2 ** 24 + 1, 2 ** 24],
        [2 ** 40, 2 ** 40],
      ],
    ],
    [
      "I32",
      4,
      (view, at, value) => view.setInt32(at, value, true),
      [
        [-7, -7],
        [2 ** 30, 2 ** 30],
      ],
    ],
    ["U8", 1, (view, at, value) => view.setUint8(at, value), [[255, 255]]],
    [
      "BOOL",
      1,
      (view, at, value) => view.setUint8(at, value),
      [
        [0, 0],
        [1, 1],
      ],
    ],
  ])("reads %s as float32", (dtype, size, write, values) => {
    const header = JSON.stringify({ w: { dtype, shape: [values.length], data_offsets: [0, size * values.length] } });
    const bytes = withHeader(header, size * values.length);
    values.forEach(([stored], i) => {
      write(new DataView(bytes.buffer), 8 + header.length + size * i, stored);
    });
    const { shape, data } = decodeSafetensors(bytes).tensors.get("w")!;
    expect(shape).toEqual([values.length]);
    expect([...data]).toEqual(values.map(([, read]) => read));
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(3), /not a safetensors file: 3 bytes/],
    ["a header longer than the file", encodeSafetensors(file).subarray(0, 20), /a header of \d+ bytes in a file of 20/],
    ["a header that is not JSON", withHeader("{nonsense"), /its header is not JSON/],
    ["metadata that is no object", withHeader('{"__metadata__":5}'), /__metadata__ must be an object of strings/],
    ["an entry that is null", withHeader('{"a":null}'), /"a" is null; it must be an object/],
    [
      "bytes behind the last tensor",
      Uint8Array.from([...encodeSafetensors(file), 0]),
      /1 bytes follow the last tensor/,
    ],
    [
      "tensors that overlap",
      withHeader(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      /a gap or an overlap at byte 4/,
    ],
    [
      "another dtype",
      withHeader('{"w":{"dtype":"F8_E5M2","shape":[1],"data_offsets":[0,1]}}', 1),
      /"w" has dtype F8_E5M2; it must be one of F64, F32, F16, BF16, I64, I32, U8, BOOL/,
    ],
    ["no dtype", withHeader('{"w":{"shape":[1],"data_offsets":[0,4]}}', 4), /"w" has dtype undefined/],
    [
      "the wrong number of bytes for a dtype",
      withHeader('{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}}', 8),
      /"w" of shape \[2\] needs 4 bytes/,
    ],
    ["no offsets", withHeader('{"w":{"dtype":"F32","shape":[1]}}', 4), /"w" lacks a shape or two data_offsets/],
    ["cut data", encodeSafetensors(file).subarray(0, -1), /"scalar" of shape \[\] needs 4 bytes/],
    [
      "offsets that deny the shape",
      withHeader('{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}', 4),
      /needs 12 bytes/,
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message);
  });
});

describe("the checksums of a safetensors file", () => {
  it("are CRC-32 (the check value of its catalogue), eight bytes a turn as byte by byte", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe("cbf43926");
    expect(crc32(new Uint8Array())).toBe("00000000");
    // From zlib.crc32 of Python over bytes 7i mod 256.
    expect(crc32(Uint8Array.from({ length: 1003 }, (_, i) => 7 * i))).toBe("d0c28ec4");
  });

  it("find every flipped bit, every cut and every byte more", () => {
    const bytes = encodeSafetensors({
      metadata: { format: "test", other: "x" },
      tensors: new Map([
        ["w", { shape: [2], data: Float32Array.of(1, -2) }],
        // As spaces, so that a header that ends later is JSON still.
        ["blank", { shape: [2], data: new Float32Array(new Uint8Array(8).fill(0x20).buffer) }],
      ]),
    });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeSafetensors(damaged), `bit ${bit}`).toThrow(DataError);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSafetensors(bytes.subarray(0, length)), `${length} bytes`).toThrow(DataError);
    }
    expect(() => decodeSafetensors(Uint8Array.from([...bytes, 0x20]))).toThrow(/1 bytes follow/);
  });

  it("name what is damaged", () => {
    const bytes = encodeSafetensors(file);
    bytes[bytes.length - 9]! ^= 4;
    expect(() => decodeSafetensors(bytes)).toThrow(/the data of "w" is damaged: its checksum is \w{8}, the file has/);
    const header = encodeSafetensors(file);
    header[header.indexOf(0x7d) - 3]! ^= 1;
    expect(() => decodeSafetensors(header)).toThrow(/its header is damaged, or another program changed it/);
  });

  it("are made anew where what was read is written again, and no part of the metadata", () => {
    const read = decodeSafetensors(encodeSafetensors(file));
    expect(read.metadata).toEqual({ format: "test" });
    const again = decodeSafetensors(encodeSafetensors({ ...read, metadata: { ...read.metadata, more: "1" } }));
    expect(again.metadata).toEqual({ format: "test", more: "1" });
    expect(decodeSafetensors(encodeSafetensors({ ...file, metadata: { "fallline.crc32": "stale" } })).metadata).toEqual(
      {},
    );
  });

  it("hold for names that objects put in another order or take for something else", () => {
    const tensors = new Map(
      ["z", "10", "2", "__proto__", "constructor", "fallline.crc32", 'é"\\'].map((name, i) => [
        name,
        { shape: [i % 3], data: new Float32Array(i % 3).fill(i) },
      ]),
    );
    const metadata = { 7: "x", é: '"fallline.crc32":"' };
    const read = decodeSafetensors(encodeSafetensors({ metadata, tensors }));
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
    expect(read.metadata).toEqual(metadata);
  });

  it("are not asked of other programs' files, and of many tensors in one place nothing is allocated", () => {
    const overlapping = Object.fromEntries(
      Array.from({ length: 400 }, (_, i) => [
        `t${i}`,
        { dtype: "U8", shape: [2_000_000], data_offsets: [0, 2_000_000] },
      ]),
    );
    const header = JSON.stringify(overlapping);
    const bytes = new Uint8Array(8 + header.length + 2_000_000);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decodeSafetensors(bytes)).toThrow(/a gap or an overlap at byte 2000000/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
  });
});
