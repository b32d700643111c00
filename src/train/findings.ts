// The findings of a watch: what was seen, in numbers and in a sentence, and what usually helps.

interface Finding {
  /** The training step at which it was found, 1-based. */
  readonly step: number;
  /** What happened, in one sentence with the numbers. */
  readonly message: string;
  /** What usually helps, in one sentence. */
  readonly remedy: string;
}

/** The loss is NaN or infinite. */
export interface NonFiniteLoss extends Finding {
  /** The loss is NaN or infinite. */
  readonly kind: "nonFiniteLoss";
  /** NaN or an infinity (null in JSON). */
  readonly loss: number;
  /** The last finite loss; null without one. */
  readonly last: number | null;
}

/** A gradient is NaN or infinite. */
export interface NonFiniteGradient extends Finding {
  /** A gradient is NaN or infinite. */
  readonly kind: "nonFiniteGradient";
  /** The reported norm (null in JSON if it is not finite). */
  readonly gradientNorm: number;
  /** Updates skipped so far. */
  readonly skipped: number;
}

/** The loss has risen well above its best and keeps rising. */
export interface Diverging extends Finding {
  /** The loss has risen far above its best. */
  readonly kind: "diverging";
  /** The smoothed loss. */
  readonly loss: number;
  /** The lowest smoothed loss. */
  readonly best: number;
  /** The step with the lowest loss so far. */
  readonly bestStep: number;
}

/**
 * The loss swings without getting lower, in a way that minibatches do not explain; or it stands still although there is a
 * gradient and the steps are long: they cross the valley from side to side, as plain gradient descent does on a parabola of
 * curvature λ at a rate of 2/λ.
 */
export interface Oscillating extends Finding {
  /** The loss rises and falls without getting lower. */
  readonly kind: "oscillating";
  /** Mean loss over the newer half of the window. */
  readonly loss: number;
  /** Half the distance from the lowest to the highest loss in the window. */
  readonly amplitude: number;
  /** Steps from one high to the next; 2 if the loss stands still. */
  readonly period: number;
  /** How much the loss would fall at a step if it were straight: gradient norm · step length; null if unknown. */
  readonly expectedFall: number | null;
}

/** The rate is too small: the loss hardly falls though there is a gradient, and the weights hardly move. */
export interface Stalled extends Finding {
  /** The loss no longer gets lower. */
  readonly kind: "stalled";
  /** Mean loss over the newer half of the window. */
  readonly loss: number;
  /** How much the loss fell at a step, relative to the loss; may be negative. */
  readonly fall: number;
  /** The usual norm of the update relative to the norm of all weights; null if no layers are observed. */
  readonly updateRatio: number | null;
  /** Gradient norm · step length, relative to the loss: the largest share by which a step can lower it; null if unknown. */
  readonly expectedFall: number | null;
}

/** A gradient's norm is far above its usual size. */
export interface ExplodingGradient extends Finding {
  /** A gradient's norm is far above its usual size. */
  readonly kind: "explodingGradient";
  /** The tensor; null for the whole gradient. */
  readonly layer: string | null;
  /** The norm. */
  readonly gradientNorm: number;
  /** The usual norm. */
  readonly usual: number;
}

/** A layer's gradient is far below that of the others. */
export interface VanishingGradient extends Finding {
  /** A layer's gradient is far below that of the others. */
  readonly kind: "vanishingGradient";
  /** The tensor; null for the whole gradient. */
  readonly layer: string | null;
  /** The norm of its gradient. */
  readonly gradientNorm: number;
  /** What it is small compared with: the norm of the layer `against`, or else the usual norm, at least 2⁻²⁴ of the loss. */
  readonly reference: number;
  /** The norm that it is compared with. */
  readonly against: string | null;
}

/** An update changes a layer too much or too little. */
export interface UpdateSize extends Finding {
  /** A layer's updates are too large or too small for its parameters. */
  readonly kind: "largeUpdate" | "smallUpdate";
  /** The tensor. */
  readonly layer: string;
  /** The norm of the change over the norm of the values before. */
  readonly ratio: number;
  /** The option whose limit it exceeds. */
  readonly limit: number;
}

/** The sharpness has reached the edge of stability: along its eigenvector the rule's steps grow. */
export interface EdgeOfStability extends Finding {
  /** The largest curvature of the loss is at the edge of stability of the rule. */
  readonly kind: "edgeOfStability";
  /** The largest curvature; for Adam and AdamW, of the preconditioned Hessian. */
  readonly sharpness: number;
  /** How far an eigenvalue may be from it. */
  readonly bound: number;
  /** The curvature from which the rule's steps grow: 2 / lr for plain gradient descent. */
  readonly edge: number;
  /** The learning rate. */
  readonly lr: number;
}

/** A finding of a watch, distinguished by `kind`; plain JSON except for numbers that are not finite. */
export type WatchEvent =
  | NonFiniteLoss
  | NonFiniteGradient
  | Diverging
  | Oscillating
  | Stalled
  | ExplodingGradient
  | VanishingGradient
  | UpdateSize
  | EdgeOfStability;

export function exploding(step: number, layer: string | null, gradientNorm: number, usual: number): ExplodingGradient {
  const whose = layer === null ? "the gradient's norm" : `the norm of the gradient of ${layer}`;
  return {
    kind: "explodingGradient",
    step,
    layer,
    gradientNorm,
    usual,
    message: `${whose} is ${figure(gradientNorm)} at step ${step}, ${figure(gradientNorm / usual)} times what it usually is`,
    remedy:
      "clip the gradient's norm, lower the rate or warm up, and look for odd examples if it happens only on single batches",
  };
}

/** At most three digits, as short as possible. */
export function figure(value: number): string {
  const size = Math.abs(value);
  return size > 0 && size < 1e-3 ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(3)));
}
