// A pass of a stage as a source: what it binds, declared, before what it is made of.
import { assemble, type Source, type SourcePart } from "../../base/assemble.ts";
import { bindingsPart } from "./generate.ts";
import type { KernelContext, Pass } from "./stage.ts";

/** The source of a pass. What several of its pieces bring along stands in it once. */
export function sourceOf(pass: Pass, context: KernelContext): Source {
  const { name, parts } = pass.source(context);
  const all: readonly SourcePart[] = [bindingsPart(pass.bindings(context), context.access), ...parts];
  return assemble(name, [...new Set(all)]);
}
