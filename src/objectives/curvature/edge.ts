// The edge of stability of an optimizer: the curvature beyond which its steps along an eigenvector grow.

import { OptionError } from "../../base/errors.ts";
import { type InReplica, type Optimizer, readOptimizer } from "../../optimizer/optimizer.ts";
import { insideOf } from "../../optimizer/shell.ts";

/**
 * The curvature beyond which an optimizer's steps grow, at a 0-based step: for sgd 2 / lr, with momentum μ and dampening d
 * 2(1 + μ) / ((1 - d)·lr), with Nesterov's 2(1 + μ) / ((1 + 2μ)·lr); for adam and adamw 2(1 + β1) / ((1 - β1)·lr), of the
 * preconditioned Hessian. Weight decay does not count. From the characteristic polynomial of each update on a quadratic (Cohen
 * et al. 2021, Gradient descent on neural networks typically occurs at the edge of stability, and 2022).
 *
 * @throws OptionError for an optimizer of another rule.
 */
export function edge(optimizer: Optimizer, step = 0, where: InReplica = {}): number {
  const { rule, flags } = insideOf(readOptimizer(optimizer)).plan;
  const hyper = (name: string) => optimizer.hyper(name, step, where);
  if (rule.name === "sgd") {
    const [lr, momentum, dampening] = [hyper("lr"), hyper("momentum"), hyper("dampening")];
    if (flags.nesterov) return (2 * (1 + momentum)) / (lr * (1 + 2 * momentum));
    // Without momentum, dampening has no effect.
    return (2 * (1 + momentum)) / (lr * (momentum === 0 ? 1 : 1 - dampening));
  }
  if (rule.name === "adam" || rule.name === "adamw") {
    const beta1 = hyper("beta1");
    return (2 * (1 + beta1)) / ((1 - beta1) * hyper("lr"));
  }
  throw new OptionError(`optimizer has rule "${rule.name}"; the edge is known for sgd, adam and adamw`);
}
