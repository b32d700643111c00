// Makes damaged files of whole ones: bytes changed, cut and inserted, JSON values replaced by hostile ones, CSV cells too.
import { Random } from "../../src/base/random.ts";

/** A source of whole numbers and choices, the same for the same seed. */
export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  below(count: number): number {
    return count <= 1 ? 0 : this.#random.below(count);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const nested = (levels: number, open: string, close: string, core = "") =>
  open.repeat(levels) + core + close.repeat(levels);

/** JSON texts that are valid and that hardly any reader expects. */
const hostile: readonly string[] = [
  ...[
    "null",
    "true",
    "false",
    "-1",
    "0",
    "-0",
    "1",
    "1.5",
    "1e308",
    "-1e308",
    "1e999",
    "9007199254740993",
    "4294967296",
  ],
  ...["2147483648", "1e-320", "1e-45", "0.1", "1e12", "16777217"],
  ...[
    '""',
    '"x"',
    '"\\u0000"',
    '"__proto__"',
    '"constructor"',
    '"toString"',
    '"NaN"',
    '"Infinity"',
    '"1"',
    '"\\ud800"',
  ],
  JSON.stringify("x".repeat(5000)),
  ...["[]", "{}", "[[]]", "[null]", "[1]", "[-1]", "[1,1]", "[1e308,1e308]", "[4294967296,4294967296]", "[0]", "[0,0]"],
  ...['{"length":1}', '{"length":1,"0":{"length":1,"0":{}}}', '{"toString":1,"valueOf":2}', '{"toJSON":1}'],
  ...['{"__proto__":{"polluted":1}}', '{"__proto__":null}', '{"constructor":{"prototype":{"polluted":1}}}'],
  ...['{"type":"__proto__"}', '{"type":"toString"}', '{"type":"cosine"}', '{"type":"product","schedules":[]}'],
  nested(150, "[", "]"),
  nested(5000, "[", "]"),
  nested(5000, '{"a":', "}", "1"),
  nested(300, '{"type":"scale","factor":1,"schedule":', "}", "1"),
];

const keys = [
  ...["__proto__", "constructor", "toString", "valueOf", "toJSON", "length", "", "0", "-1", "hasOwnProperty"],
  ...["\u0000", "x".repeat(3000), "é😀\n\"'"],
];

/** Stands in a value for a raw JSON text, which JSON.stringify could not write. */
const mark = "\u0001RAW:";

/** The text of a JSON value that was changed in one to three places. */
export function mutatedJson(value: unknown, dice: Dice): string {
  const holder: Record<string, unknown> = { root: JSON.parse(JSON.stringify(value)) };
  const raws: string[] = [];
  const raw = () => `${mark}${raws.push(dice.pick(hostile)) - 1}\u0001`;
  for (let change = 1 + dice.below(3); change > 0; change--) changeOnce(holder, dice, raw);
  const text = stringified(holder.root);
  return text.replace(/"\\u0001RAW:(\d+)\\u0001"/g, (_, index: string) => raws[Number(index)] ?? "null");
}

type Node = Record<string, unknown>;

function changeOnce(holder: Node, dice: Dice, raw: () => string): void {
  const places: (readonly [Node, string])[] = [];
  const walk = (node: unknown, depth: number): void => {
    if (typeof node !== "object" || node === null || depth > 12) return;
    const all = Object.keys(node);
    // Of a long list a few places stand for all.
    const some = all.length <= 12 ? all : Array.from({ length: 12 }, () => dice.pick(all));
    for (const key of some) {
      places.push([node as Node, key]);
      walk((node as Node)[key], depth + 1);
    }
  };
  walk(holder, 0);
  const [node, key] = dice.pick(places);
  const value = node[key];
  const put = (name: string, given: unknown) =>
    Object.defineProperty(node, name, { value: given, enumerable: true, configurable: true, writable: true });
  switch (dice.below(6)) {
    case 0:
    case 1:
      put(key, raw());
      break;
    case 2:
      if (node === holder) break;
      if (Array.isArray(node)) node.splice(Number(key), 1);
      else delete node[key];
      break;
    case 3:
      if (Array.isArray(value)) value.push(raw());
      else if (typeof value === "object" && value !== null) {
        const name = dice.pick(keys);
        Object.defineProperty(value, name, { value: raw(), enumerable: true, configurable: true, writable: true });
      } else put(key, raw());
      break;
    case 4:
      if (typeof value === "number") {
        put(key, dice.pick([-value, value + 1, value * 1e30, value / 3, 2 ** dice.below(60)]));
      } else if (typeof value === "string") {
        const at = dice.below(value.length + 1);
        const inserted = `${value.slice(0, at)}${dice.pick(["\u0000", "}", "9", "é", "-"])}${value.slice(at)}`;
        put(key, dice.pick([value.slice(0, at), inserted, value + value, value.toUpperCase()]));
      } else put(key, raw());
      break;
    default: {
      const [other, name] = dice.pick(places);
      put(key, other[name]);
    }
  }
}

/** A value that was put into itself has no JSON. */
function stringified(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    return "null";
  }
}

/** Bytes that were changed in one to three places. */
export function mutatedBytes(bytes: Uint8Array, dice: Dice): Uint8Array<ArrayBuffer> {
  let mutant = Uint8Array.from(bytes);
  for (let change = 1 + dice.below(3); change > 0; change--) {
    const at = dice.below(mutant.length);
    const few = 1 + dice.below(32);
    switch (dice.below(6)) {
      case 0:
        mutant[at]! ^= 1 << dice.below(8);
        break;
      case 1:
        mutant[at] = dice.below(256);
        break;
      case 2:
        mutant = mutant.slice(0, at);
        break;
      case 3:
        mutant = Uint8Array.from([...mutant.subarray(0, at), ...bytesOf(few, dice), ...mutant.subarray(at)]);
        break;
      case 4:
        mutant = Uint8Array.from([...mutant.subarray(0, at), ...mutant.subarray(at + few)]);
        break;
      default:
        mutant.fill(dice.pick([0, 255, 0x7f, 0x80]), at, at + few);
    }
  }
  return mutant;
}

function bytesOf(length: number, dice: Dice): readonly number[] {
  return Array.from({ length }, () => dice.below(256));
}

const cells = [
  ...[
    "",
    " ",
    '"',
    '""',
    '"a',
    "NaN",
    "Infinity",
    "-",
    "1e999",
    "1e-400",
    "0x10",
    "1_000",
    "1,5",
    "−1",
    "\u0000",
    "\ufeff",
  ],
  ...[
    "1".repeat(3000),
    `${"1".repeat(3000)}x`,
    "-".repeat(2000),
    "é😀",
    "__proto__",
    "label",
    "\t",
    ";",
    "\r",
    "\n\n",
    ",,,,",
  ],
];

/** CSV text that was changed in one to three places: cells replaced, lines cut, doubled and joined, characters inserted. */
export function mutatedCsv(text: string, dice: Dice): string {
  let mutant = text;
  for (let change = 1 + dice.below(3); change > 0; change--) {
    const at = dice.below(mutant.length + 1);
    const lines = mutant.split("\n");
    const line = dice.below(lines.length);
    switch (dice.below(6)) {
      case 0: {
        const row = lines[line]!.split(",");
        row[dice.below(row.length)] = dice.pick(cells);
        lines[line] = row.join(",");
        mutant = lines.join("\n");
        break;
      }
      case 1:
        mutant = mutant.slice(0, at) + dice.pick(cells) + mutant.slice(at);
        break;
      case 2:
        mutant = mutant.slice(0, at);
        break;
      case 3:
        lines.splice(line, dice.below(3), ...(dice.below(2) ? [lines[line]!, lines[line]!] : []));
        mutant = lines.join("\n");
        break;
      case 4:
        mutant = mutant.slice(0, at) + mutant.slice(at + 1 + dice.below(20));
        break;
      default:
        mutant = mutant.replaceAll(dice.pick([",", "\n", '"', "."]), dice.pick([",", ";", "\t", "\r\n", "|", ""]));
    }
  }
  return mutant;
}
