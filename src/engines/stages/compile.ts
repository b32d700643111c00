// The source of a stage's pass: the declarations of its bindings, then its snippets.
import { assemble, type Snippet, type Source } from "../../base/assemble.ts";
import { bindingsSnippet } from "./generate.ts";
import type { KernelContext, Pass } from "./stage.ts";

/** The source of a pass. A snippet that several of its parts need occurs once. */
export function sourceOf(pass: Pass, context: KernelContext): Source {
  const { name, snippets } = pass.source(context);
  const all: readonly Snippet[] = [bindingsSnippet(pass.bindings(context), context.access.entry), ...snippets];
  return assemble(name, [...new Set(all)]);
}
