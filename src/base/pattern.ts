// Matches names against regular expressions in time proportional to name times pattern: JavaScript's own matcher takes
// exponential time on (a+)+$, and a config from elsewhere must not trigger that.
//
// A regular expression becomes a list of instructions. From the end of the name to its start, each position gets the set of
// instructions from which the rest of the name matches; lookarounds are separate lists, answered for all positions first.
// Single characters are left to JavaScript. Back references cannot be decided this way.
import { OptionError } from "./errors.ts";
import { describeRegex, nativeRegex, type RegexPattern } from "./glob.ts";

/** The longest regular expression, and the most instructions that it may become: `x{1000}` takes a thousand. */
const mostLetters = 1000;
const mostInstructions = 5000;

type Node =
  | { readonly type: "letter"; readonly test: (letter: string) => boolean }
  | { readonly type: "sequence"; readonly parts: readonly Node[] }
  | { readonly type: "choice"; readonly parts: readonly Node[] }
  | { readonly type: "repeat"; readonly part: Node; readonly min: number; readonly max: number }
  | { readonly type: "assert"; readonly assertion: Assertion };

/** Something that holds or not at a position, decided for all positions of a name, 0 to its length. */
type Assertion = (letters: readonly string[]) => ArrayLike<boolean | number>;

type Instruction =
  | { readonly op: "letter"; readonly test: (letter: string) => boolean }
  | { readonly op: "go"; readonly to: number[] }
  | { readonly op: "assert"; readonly assertion: Assertion }
  | { readonly op: "match" };

/**
 * Whether a regular expression is found anywhere in a name. Takes JavaScript's syntax without back references, modifiers
 * and the flag v; the flags d, g and y have no effect.
 *
 * @throws OptionError, whose message starts with `owner`, for any other expression and for one that is too long.
 */
export function regexMatcher(owner: string, source: string, flags: string): (name: string) => boolean {
  const what = describeRegex(owner, source, flags);
  if (source.length > mostLetters) throw new OptionError(`${what}; it must have at most ${mostLetters} letters`);
  nativeRegex(owner, source, flags);
  if (flags.includes("v")) throw new OptionError(`${what}; its flags must be some of d, g, i, m, s, u and y`);
  const parser = new Parser(what, source, flags.replace(/[dgmy]/g, ""), flags.includes("m"));
  const program = parser.program(parser.choice(), false);
  const lettersOf = (name: string) => (flags.includes("u") ? [...name] : name.split(""));
  return (name) => matchesFrom(program, lettersOf(name), false).includes(1);
}

/**
 * Adds a matcher that no expression can slow down to a regular expression from JSON; anything else is returned unchanged, for
 * its reader to refuse.
 *
 * @throws OptionError as {@link regexMatcher}.
 */
export function safePattern(owner: string, pattern: unknown): unknown {
  const { regex, flags = "" } = Object(pattern) as Partial<RegexPattern>;
  if (pattern instanceof RegExp || typeof regex !== "string" || typeof flags !== "string") return pattern;
  return Object.defineProperty({ ...(pattern as object) }, "matches", { value: regexMatcher(owner, regex, flags) });
}

/** The positions at which a program matches the text after them, or before them. */
function matchesFrom(program: readonly Instruction[], letters: readonly string[], backwards: boolean): Uint8Array {
  const before: number[][] = program.map(() => []);
  const held: (ArrayLike<boolean | number> | undefined)[] = program.map((instruction, i) => {
    if (instruction.op === "go") for (const target of instruction.to) before[target]!.push(i);
    if (instruction.op !== "assert") return undefined;
    before[i + 1]!.push(i);
    return instruction.assertion(letters);
  });
  const found = new Uint8Array(letters.length + 1);
  let after = new Uint8Array(program.length + 1);
  for (let step = 0; step <= letters.length; step++) {
    const position = backwards ? step : letters.length - step;
    const letter = step === 0 ? undefined : letters[backwards ? position - 1 : position];
    const now = new Uint8Array(program.length + 1);
    const open: number[] = [];
    const reach = (i: number) => {
      if (now[i]) return;
      now[i] = 1;
      open.push(i);
    };
    program.forEach((instruction, i) => {
      if (instruction.op === "match") reach(i);
      if (instruction.op === "letter" && after[i + 1] && letter !== undefined && instruction.test(letter)) reach(i);
    });
    for (let i = open.pop(); i !== undefined; i = open.pop()) {
      for (const from of before[i]!) if (!held[from] || held[from][position]) reach(from);
    }
    found[position] = now[0]!;
    after = now;
  }
  return found;
}

/** Parses a source that JavaScript accepts. */
class Parser {
  readonly #what: string;
  readonly #source: string;
  readonly #flags: string;
  readonly #multiline: boolean;
  #at = 0;
  #instructions = 0;

  constructor(what: string, source: string, flags: string, multiline: boolean) {
    this.#what = what;
    this.#source = source;
    this.#flags = flags;
    this.#multiline = multiline;
  }

  /** Alternatives, up to the end or the parenthesis that closes them. */
  choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take(/\|/y)) parts.push(this.#sequence());
    return { type: "choice", parts };
  }

  /** The instructions of a node; backwards for a lookbehind. */
  program(node: Node, backwards: boolean): readonly Instruction[] {
    const program: Instruction[] = [];
    const add = (instruction: Instruction) => {
      if (++this.#instructions > mostInstructions) {
        throw new OptionError(
          `${this.#what}, whose repetitions make it too long; it must take at most ${mostInstructions} steps`,
        );
      }
      program.push(instruction);
    };
    const emit = (part: Node): void => {
      if (part.type === "letter") add({ op: "letter", test: part.test });
      else if (part.type === "assert") add({ op: "assert", assertion: part.assertion });
      else if (part.type === "sequence") (backwards ? part.parts.toReversed() : part.parts).forEach(emit);
      else if (part.type === "choice") {
        const entry: number[] = [];
        const exit: number[] = [];
        add({ op: "go", to: entry });
        for (const option of part.parts) {
          entry.push(program.length);
          emit(option);
          add({ op: "go", to: exit });
        }
        exit.push(program.length);
      } else {
        for (let i = 0; i < part.min; i++) emit(part.part);
        const exit: number[] = [];
        if (part.max === Number.POSITIVE_INFINITY) {
          const again = program.length;
          const entry = [again + 1];
          add({ op: "go", to: entry });
          emit(part.part);
          add({ op: "go", to: [again] });
          entry.push(program.length);
        } else {
          for (let i = part.min; i < part.max; i++) {
            const entry = [program.length + 1];
            add({ op: "go", to: entry });
            exit.push(program.length - 1);
            emit(part.part);
          }
          // Each of them may be the last.
          for (const optional of exit) (program[optional] as { readonly to: number[] }).to.push(program.length);
        }
      }
    };
    emit(node);
    add({ op: "match" });
    return program;
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source[this.#at]!)) parts.push(this.#quantified());
    return { type: "sequence", parts };
  }

  #quantified(): Node {
    const part = this.#term();
    const quantifier = this.#take(/(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y);
    if (!quantifier) return part;
    const [, sign, least, comma, most] = quantifier;
    if (sign)
      return { type: "repeat", part, min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : Number.POSITIVE_INFINITY };
    const min = Number(least);
    return { type: "repeat", part, min, max: !comma ? min : most ? Number(most) : Number.POSITIVE_INFINITY };
  }

  #term(): Node {
    if (this.#take(/\^/y)) return this.#edge(-1);
    if (this.#take(/\$/y)) return this.#edge(0);
    const boundary = this.#take(/\\[bB]/y);
    if (boundary) return this.#boundary(boundary[0] === "\\b");
    const group = this.#take(/\((?:\?(?:<(?![=!])[^>]*>|(<?[=!])|(:)|()))?/y);
    if (group) {
      const [, look, , other] = group;
      if (other !== undefined) throw new OptionError(`${this.#what}; it must contain no modifiers`);
      const inner = this.choice();
      this.#take(/\)/y);
      return look ? this.#look(inner, look) : inner;
    }
    if (this.#take(/\\(?:[1-9]|k)/y)) {
      throw new OptionError(`${this.#what}; it must contain no back references`);
    }
    const letter = this.#take(
      this.#flags.includes("u")
        ? /\[(?:\\.|[^\]\\])*\]|\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u\{[\da-fA-F]+\}|\\[pP]\{[^}]*\}|\\(?:u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[a-zA-Z]|.)|./suy
        : /\[(?:\\.|[^\]\\])*\]|\\(?:u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[a-zA-Z]|0[0-7]{0,2}|.)|./sy,
    )![0];
    const single = new RegExp(`^(?:${letter})$`, this.#flags);
    const known = new Map<string, boolean>();
    const test = (given: string) => {
      const answer = known.get(given) ?? single.test(given);
      known.set(given, answer);
      return answer;
    };
    return { type: "letter", test };
  }

  /** Whether a position is the start (`side` -1) or the end of the name or, with the flag m, of a line. */
  #edge(side: -1 | 0): Node {
    const breaks = (letter: string | undefined) =>
      letter === undefined || (this.#multiline && /[\n\r\u2028\u2029]/.test(letter));
    return { type: "assert", assertion: (letters) => positions(letters, (i) => breaks(letters[i + side])) };
  }

  #boundary(wanted: boolean): Node {
    const word = new RegExp("\\w", this.#flags);
    const isWord = (letter: string | undefined) => letter !== undefined && word.test(letter);
    return {
      type: "assert",
      assertion: (letters) => positions(letters, (i) => (isWord(letters[i - 1]) !== isWord(letters[i])) === wanted),
    };
  }

  #look(inner: Node, look: string): Node {
    const backwards = look.startsWith("<");
    const program = this.program(inner, backwards);
    const wanted = look.endsWith("=") ? 1 : 0;
    return {
      type: "assert",
      assertion: (letters) => matchesFrom(program, letters, backwards).map((found) => (found === wanted ? 1 : 0)),
    };
  }

  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const taken = expression.exec(this.#source);
    if (taken) this.#at = expression.lastIndex;
    return taken;
  }
}

function positions(letters: readonly string[], holds: (position: number) => boolean): readonly boolean[] {
  return Array.from({ length: letters.length + 1 }, (_, position) => holds(position));
}
