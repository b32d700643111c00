// WGSL by plain concatenation. A source remembers which of its lines came from where, so that a compiler's message can name
// the rule and the line its author wrote.

/** A piece of WGSL and its name in errors. */
export interface Snippet {
  /** Its name in errors: a file's path, or its purpose. */
  readonly name: string;
  /** WGSL, without a version line: snippets are concatenated in order. */
  readonly text: string;
}

export interface Source {
  /** The shader's purpose, as it appears in errors and GPU labels. */
  readonly name: string;
  readonly code: string;
  readonly snippets: readonly Snippet[];
}

export function assemble(name: string, snippets: readonly Snippet[]): Source {
  return { name, snippets, code: snippets.map((snippet) => withNewline(snippet.text)).join("") };
}

/** The snippet that holds a line (from 1) of the whole source, and the line's number within it. */
export function locate(source: Source, line: number): { snippet: string; line: number } {
  let rest = line;
  for (const snippet of source.snippets) {
    const lines = withNewline(snippet.text).split("\n").length - 1;
    if (rest <= lines) return { snippet: snippet.name, line: rest };
    rest -= lines;
  }
  return { snippet: source.name, line };
}

/** weightDecay → weight_decay, v → v. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
