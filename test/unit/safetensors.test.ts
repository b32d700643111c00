// The safetensors format, byte for byte, and files that are not it.
import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/safetensors.ts";

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
      '{"__metadata__":{"format":"test"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"scalar":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}',
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

  const withHeader = (header: string, data = 0) => {
    const bytes = new Uint8Array(8 + header.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    return bytes;
  };
  it.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(3), /not a safetensors file: 3 bytes/],
    ["a header longer than the file", encodeSafetensors(file).subarray(0, 20), /a header of \d+ bytes in a file of 20/],
    ["a header that is no JSON", withHeader("{nonsense"), /its header is not JSON/],
    ["metadata that is no object", withHeader('{"__metadata__":5}'), /__metadata__ must be an object of strings/],
    ["an entry that is null", withHeader('{"a":null}'), /"a" is null; it must be an object/],
    [
      "bytes behind the last tensor",
      Uint8Array.from([...encodeSafetensors(file), 0]),
      /1 bytes follow the last tensor's/,
    ],
    [
      "tensors that overlap",
      withHeader(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      /a gap or an overlap at byte 4/,
    ],
    ["another dtype", withHeader('{"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}', 2), /"w" has dtype F16/],
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
