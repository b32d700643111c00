// A struct described once: its WGSL, the offset of each field, and how it is written to bytes and read back, all follow.
// Comments beside the description explain the fields and cost a bundle nothing.
import { snakeCase } from "./assemble.ts";

/** WGSL types of a field, with the words and the alignment (in words) that each has in storage and uniform buffers. */
const fieldTypes = {
  u32: { words: 1, align: 1, get: "getUint32", set: "setUint32" },
  i32: { words: 1, align: 1, get: "getInt32", set: "setInt32" },
  f32: { words: 1, align: 1, get: "getFloat32", set: "setFloat32" },
  "atomic<u32>": { words: 1, align: 1, get: "getUint32", set: "setUint32" },
  vec2u: { words: 2, align: 2, get: "getUint32", set: "setUint32" },
  vec2f: { words: 2, align: 2, get: "getFloat32", set: "setFloat32" },
  vec4u: { words: 4, align: 4, get: "getUint32", set: "setUint32" },
  vec4f: { words: 4, align: 4, get: "getFloat32", set: "setFloat32" },
} as const;

/** The type of a field: a WGSL scalar or vector, or another struct. */
export type FieldType = keyof typeof fieldTypes | Struct;

/** The fields of a struct in their order; camelCase here, snake_case in WGSL. */
export type Fields = Readonly<Record<string, FieldType>>;

/** The host's value of a field: a number, as many numbers as a vector has, or the values of a struct. */
export type FieldValue<T extends FieldType> =
  T extends Struct<infer F> ? Values<F> : T extends `vec${string}` ? readonly number[] : number;

/** The host's values of a struct's fields. */
export type Values<F extends Fields> = { readonly [K in keyof F]: FieldValue<F[K]> };

/** A struct on both sides, host and WGSL. */
export interface Struct<F extends Fields = Fields> {
  readonly name: string;
  readonly fields: F;
  /** Its declaration, after those of the structs that it contains. */
  readonly wgsl: string;
  /** Its stride in an array, in bytes. */
  readonly bytes: number;
  /** Its alignment in words, that of vectors included. */
  readonly align: number;
  /** Offset of a field, in words. */
  index(field: keyof F & string): number;
  /** The bytes of several values, one after the other; fields left out are 0. */
  encode(values: readonly Partial<Values<F>>[]): Uint8Array<ArrayBuffer>;
  /** Writes a value at a byte offset of a view. */
  write(view: DataView, at: number, values: Partial<Values<F>>): void;
  /** Reads a scalar field of a value at a byte offset of a view. */
  number(view: DataView, at: number, field: keyof F & string): number;
}

/** Describes a struct; `name` as it is in WGSL. */
export function defineStruct<const F extends Fields>(name: string, fields: F): Struct<F> {
  const places = new Map<string, number>();
  let [words, align] = [0, 1];
  for (const [field, type] of Object.entries(fields)) {
    const layout = typeof type === "string" ? fieldTypes[type] : { words: type.bytes / 4, align: type.align };
    words = roundUp(words, layout.align);
    places.set(field, words);
    words += layout.words;
    align = Math.max(align, layout.align);
  }
  const bytes = 4 * roundUp(words, align);
  const write = (view: DataView, at: number, values: Partial<Values<F>>) => {
    for (const [field, start] of places) {
      const value = values[field] as number | readonly number[] | Values<Fields> | undefined;
      if (value !== undefined) writeField(view, at + 4 * start, fields[field]!, value);
    }
  };
  return {
    name,
    fields,
    wgsl: wgslOf(name, fields),
    bytes,
    align,
    index: (field) => places.get(field)!,
    write,
    encode(values) {
      const encoded = new Uint8Array(bytes * values.length);
      const view = new DataView(encoded.buffer);
      values.forEach((value, i) => {
        write(view, i * bytes, value);
      });
      return encoded;
    },
    number(view, at, field) {
      return view[fieldTypes[fields[field] as keyof typeof fieldTypes].get](at + 4 * places.get(field)!, true);
    },
  };
}

function wgslOf(name: string, fields: Fields): string {
  const inner = Object.values(fields).filter((type) => typeof type !== "string");
  const structs = new Set(inner.map(({ wgsl }) => wgsl));
  const members = Object.entries(fields).map(
    ([field, type]) => `  ${snakeCase(field)}: ${typeof type === "string" ? type : type.name},\n`,
  );
  return `${[...structs].join("")}struct ${name} {\n${members.join("")}}\n`;
}

function writeField(
  view: DataView,
  at: number,
  type: FieldType,
  value: number | readonly number[] | Values<Fields>,
): void {
  if (typeof type !== "string") {
    type.write(view, at, value as Values<Fields>);
    return;
  }
  const { set } = fieldTypes[type];
  const numbers = typeof value === "number" ? [value] : (value as readonly number[]);
  for (let i = 0; i < numbers.length; i++) view[set](at + 4 * i, numbers[i]!, true);
}

const roundUp = (words: number, align: number) => Math.ceil(words / align) * align;
