// WGSL by plain concatenation. A source remembers which of its lines came from where, so that a compiler's message can name
// the rule and the line its author wrote.

/** A piece of WGSL and what to call it in an error. */
export interface SourcePart {
  readonly name: string;
  readonly text: string;
}

export interface Source {
  /** What the shader is for, as errors and GPU labels call it. */
  readonly name: string;
  readonly code: string;
  readonly parts: readonly SourcePart[];
}

export function assemble(name: string, parts: readonly SourcePart[]): Source {
  return { name, parts, code: parts.map((part) => withNewline(part.text)).join("") };
}

/** The part and the line within it of a line (from 1) of the whole source. */
export function locate(source: Source, line: number): { part: string; line: number } {
  let rest = line;
  for (const part of source.parts) {
    const lines = withNewline(part.text).split("\n").length - 1;
    if (rest <= lines) return { part: part.name, line: rest };
    rest -= lines;
  }
  return { part: source.name, line };
}

/** weightDecay → weight_decay, v → v. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
