// A pass of a stage as a source: what it binds, declared, before what it is made of.
import { assemble, type Snippet, type Source } from "../../base/assemble.ts";
import { bindingsSnippet } from "./generate.ts";
import type { KernelContext, Pass } from "./stage.ts";

/** The source of a pass. A snippet that several of its pieces need occurs once. */
export function sourceOf(pass: Pass, context: KernelContext): Source {
  const { name, snippets } = pass.source(context);
  const all: readonly Snippet[] = [bindingsSnippet(pass.bindings(context), context.access), ...snippets];
  return assemble(name, [...new Set(all)]);
}
