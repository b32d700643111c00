// The activation after a layer's product and bias, and its derivatives, as the CPU computes them; their twin is
// shaders/products/activation.wgsl. A derivative is computed from what the forward pass keeps: the activation's value where that
// suffices, else its input.
import type { Aliases } from "../../base/names.ts";
import { erf } from "../cpu/erf.ts";

export interface ActivationFunction {
  readonly value: (z: number) => number;
  /** Whether it is close to 0 on one side, so that weights start twice as wide (heNormal). */
  readonly rectifies?: boolean;
  /** Whether its slope jumps somewhere. */
  readonly bends?: boolean;
  /** Whether the derivative is computed from z, or from the value. */
  readonly keeps: "input" | "value";
  /** The derivative, from the kept number. */
  readonly slope: (kept: number) => number;
  /** The first three derivatives at z; absent if the second is zero wherever it exists. */
  readonly derivatives?: (z: number) => Derivatives;
}

/** Derivatives of a function at one point. */
export type Derivatives = readonly [first: number, second: number, third: number];

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
/** The normal distribution function and density: gelu is z·Φ(z) (Hendrycks and Gimpel 2016), exactly, as in PyTorch. */
const normal = (z: number): number => (1 + erf(z / Math.SQRT2)) / 2;
const density = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

const sigmoidDerivatives = (z: number): Derivatives => {
  const s = sigmoid(z);
  const first = s * (1 - s);
  return [first, first * (1 - 2 * s), first * (1 - 6 * first)];
};

/** The name of an activation function. */
export type Activation = "linear" | "relu" | "tanh" | "sigmoid" | "gelu" | "silu";

/** In the order of shaders/products/activation.wgsl. */
export const activationFunctions: Readonly<Record<Activation, ActivationFunction>> = {
  linear: { value: (z) => z, keeps: "value", slope: () => 1 },
  // NaN stays NaN.
  relu: { value: (z) => (z < 0 ? 0 : z), rectifies: true, bends: true, keeps: "value", slope: (y) => (y > 0 ? 1 : 0) },
  tanh: {
    value: Math.tanh,
    keeps: "value",
    slope: (y) => 1 - y * y,
    derivatives(z) {
      const y = Math.tanh(z);
      const first = 1 - y * y;
      return [first, -2 * y * first, first * (6 * y * y - 2)];
    },
  },
  sigmoid: { value: sigmoid, keeps: "value", slope: (y) => y * (1 - y), derivatives: sigmoidDerivatives },
  gelu: {
    value: (z) => z * normal(z),
    rectifies: true,
    keeps: "input",
    slope: (z) => normal(z) + z * density(z),
    derivatives(z) {
      const d = density(z);
      return [normal(z) + z * d, d * (2 - z * z), d * z * (z * z - 4)];
    },
  },
  // z·sigmoid(z) (Elfwing, Uchibe, Doya 2017; Ramachandran, Zoph, Le 2017).
  silu: {
    value: (z) => z * sigmoid(z),
    rectifies: true,
    keeps: "input",
    slope: (z) => sigmoid(z) * (1 + z * (1 - sigmoid(z))),
    derivatives(z) {
      const [first, second, third] = sigmoidDerivatives(z);
      return [sigmoid(z) + z * first, 2 * first + z * second, 3 * second + z * third];
    },
  },
};

/** Their names, in the same order. */
export const activations = Object.keys(activationFunctions) as readonly Activation[];

/** Aliases. */
export const activationAliases: Aliases<Activation> = { swish: "silu", identity: "linear", none: "linear" };

/** The names of those with a second derivative, which an equation of second order needs. */
export const smoothActivations = activations.filter((name) => activationFunctions[name].derivatives !== undefined);
