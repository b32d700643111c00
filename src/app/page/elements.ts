// Creates HTML, SVG and MathML elements in code, since the page's policy forbids markup as text.

type Listener = (event: never) => void;

/** An element's attributes: texts and numbers, booleans for presence, and listeners by event ("onclick"). */
export type Attributes = Readonly<Record<string, string | number | boolean | Listener | undefined>>;

/** A child of an element; null and undefined are left out. */
export type Child = Node | string | number | null | undefined;

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, String(value));
  }
  element.append(...present(children));
  return element;
}

const present = (children: readonly Child[]) =>
  children.filter((child) => child !== null && child !== undefined).map((child) => child as Node | string);

/** An HTML element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** A MathML element. */
function m(tag: string, ...children: readonly Child[]): MathMLElement {
  return fill(document.createElementNS("http://www.w3.org/1998/Math/MathML", tag) as MathMLElement, {}, children);
}

/**
 * A formula from words with blanks between them: letters are identifiers, digits numbers, the rest operators; `a_b` is a with
 * the index b, `a^b` a with the exponent b, `a/b` a fraction. Braces hold several words together: `2/{λ max}`.
 */
export function formula(text: string): MathMLElement {
  return m("math", ...rowOf(text));
}

function rowOf(text: string): readonly MathMLElement[] {
  return wordsOf(text).map(wordOf);
}

/** The words of a text; a part in braces belongs to one word. */
function wordsOf(text: string): readonly string[] {
  const words: string[] = [];
  let [word, depth] = ["", 0];
  for (const letter of `${text} `) {
    if (letter === "{") depth++;
    if (letter === "}") depth--;
    if (letter !== " " || depth > 0) word += letter;
    else if (word !== "") {
      words.push(word);
      word = "";
    }
  }
  return words;
}

const tags = { "/": "mfrac", _: "msub", "^": "msup" } as const;

function wordOf(word: string): MathMLElement {
  for (const sign of ["/", "^", "_"] as const) {
    const at = outside(word, sign);
    if (at > 0 && at < word.length - 1) {
      return m(tags[sign], wordOf(word.slice(0, at)), wordOf(word.slice(at + 1)));
    }
  }
  if (word.startsWith("{") && word.endsWith("}")) return m("mrow", ...rowOf(word.slice(1, -1)));
  return m(/^[\d.]+$/.test(word) ? "mn" : /^\p{L}+$|^[∇∞]$/u.test(word) ? "mi" : "mo", word);
}

/** The index of a sign outside braces; -1 if there is none. */
function outside(word: string, sign: string): number {
  let depth = 0;
  for (let i = 0; i < word.length; i++) {
    if (word[i] === "{") depth++;
    else if (word[i] === "}") depth--;
    else if (word[i] === sign && depth === 0) return i;
  }
  return -1;
}

/** Numbers as text with the minus sign, which is as wide as a digit. */
export const minus = (text: string) => text.replaceAll("-", "−");
