// Minifies WGSL for the build: comments, indentation and blanks go, locals get short names, and line numbers stay, so that a
// compiler's message still leads to the line in shaders/.
import { readFileSync } from "node:fs";

/** Comments, identifiers, numbers, line ends, blanks, and everything else character by character. */
const tokens =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|[\p{XID_Start}_]\p{XID_Continue}*|\.?\d[\w.]*(?:(?<=[eEpP])[+-]\w+)?|\n|[^\S\n]+|./gsu;

const isName = (/** @type {string | undefined} */ token) => token !== undefined && /^[\p{XID_Start}_]/u.test(token);

/** Two of these may not become adjacent unless they were before. */
const isWord = (/** @type {string} */ token) => /[\p{XID_Continue}.]$/u.test(token);
const isOperator = (/** @type {string} */ token) => /^[-+*/%&|^<>=!]$/.test(token);

const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];

/** Words that start a declaration inside a function. */
const declaring = new Set(["let", "var", "const"]);

/**
 * Shorter WGSL with the same lines.
 *
 * @param {string} text one file of shaders/; the other files and users' rules that it is joined with do not matter
 * @returns {string}
 */
export function minifyWgsl(text) {
  /** @type {string[]} */
  const kept = [];
  let isApart = false;
  for (const [token] of text.matchAll(tokens)) {
    if (token.startsWith("//") || token.startsWith("/*") || /^\s+$/.test(token)) {
      const lines = token.split("\n").length - 1;
      for (let line = 0; line < lines; line++) kept.push("\n");
      isApart = true;
      continue;
    }
    const before = kept.at(-1) ?? "\n";
    const merges = (isWord(before) && isWord(token)) || (isOperator(before) && isOperator(token));
    if (isApart && merges) kept.push(" ");
    kept.push(token);
    isApart = false;
  }
  shortenLocals(kept);
  return kept.join("");
}

/**
 * Gives each function's parameters and variables short names. A name that the file also uses in another way is kept.
 *
 * @param {string[]} kept tokens without comments, changed in place
 */
function shortenLocals(kept) {
  const words = kept.flatMap((token, at) => (/^\s+$/.test(token) ? [] : [{ token, at }]));
  const taken = new Set(words.map(({ token }) => token));
  const free = letters.filter((letter) => !taken.has(letter));
  const functions = functionsOf(words.map(({ token }) => token));
  const inside = new Set(functions.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i)));
  const outside = new Set(words.flatMap(({ token }, i) => (inside.has(i) ? [] : [token])));
  for (const { from, to } of functions) {
    const text = words.slice(from, to);
    /** @type {Map<string, { at: number[], isLocal: boolean, isOther: boolean }>} */
    const uses = new Map();
    for (const [i, { token, at }] of text.entries()) {
      if (!isName(token) || text[i - 1]?.token === "." || text[i - 1]?.token === "@") continue;
      const use = uses.get(token) ?? { at: [], isLocal: false, isOther: outside.has(token) };
      uses.set(token, use);
      const declared = isParameter(text, i) || declaring.has(declarerOf(text, i));
      // Before its declaration, or in a call, the name refers to something else.
      if (text[i + 1]?.token === "(" || (!declared && !use.isLocal)) use.isOther = true;
      if (declared) use.isLocal = true;
      use.at.push(at);
    }
    const locals = [...uses].filter(([name, use]) => use.isLocal && !use.isOther && name.length > 1);
    locals.sort(([, a], [, b]) => b.at.length - a.at.length);
    for (const [i, [, use]] of locals.entries()) {
      const short = free[i];
      if (short !== undefined) for (const at of use.at) kept[at] = short;
    }
  }
}

/**
 * Where each function's parameters begin and its body ends.
 *
 * @param {readonly string[]} words
 */
function functionsOf(words) {
  const found = [];
  for (let from = 0; from < words.length; from++) {
    if (words[from] !== "fn") continue;
    let to = from + 2;
    while (to < words.length && words[to] !== "{") to++;
    let depth = 0;
    do {
      if (words[to] === "{") depth++;
      if (words[to] === "}") depth--;
      to++;
    } while (to < words.length && depth > 0);
    found.push({ from: from + 2, to });
    from = to - 1;
  }
  return found;
}

/**
 * @param {readonly { token: string }[]} text
 * @param {number} i
 */
function isParameter(text, i) {
  if (text[i + 1]?.token !== ":") return false;
  const before = text[i - 1]?.token;
  // A switch's cases have colons too, after their own word or comma.
  return before === "(" || before === ")" || (before === "," && isInParameters(text, i));
}

/**
 * @param {readonly { token: string }[]} text
 * @param {number} i
 */
function isInParameters(text, i) {
  return !text.slice(0, i).some(({ token }) => token === "{");
}

/**
 * The word that declares the name at `i`: `var<storage> x` and `let x` alike.
 *
 * @param {readonly { token: string }[]} text
 * @param {number} i
 */
function declarerOf(text, i) {
  let at = i - 1;
  if (text[at]?.token === ">") {
    while (at >= 0 && text[at]?.token !== "<") at--;
    at--;
  }
  return text[at]?.token ?? "";
}

/** @returns {import("vite").Plugin} the build's plugin; tests and `npm run dev` use WGSL as it is written */
export function minifiedWgsl() {
  return {
    name: "fallline-wgsl",
    enforce: "pre",
    apply: "build",
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      handler(id) {
        return `export default ${JSON.stringify(minifyWgsl(readFileSync(id.slice(0, -"?raw".length), "utf8")))};`;
      },
    },
  };
}
