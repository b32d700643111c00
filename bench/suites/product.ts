// Suite "product": the matrix products of a network on their own, next to the peers'. A new shape is a line in `products`.
import type { ProductShape } from "../../src/engines/products/variants.ts";
import { product as fallline } from "../engines/fallline.ts";
import { product as naive } from "../engines/naive.ts";
import { product as plain } from "../engines/plain.ts";
import { createMatrices, expectedProduct, flopsOfProduct, type Matrices } from "../matrices.ts";
import { type Case, type Contender, once, type Runner, type Tier } from "../suite.ts";

interface NamedShape extends ProductShape {
  /** The product's role in a step; its sizes follow, m × n × k. */
  readonly name: string;
  readonly tier: Tier;
}

/** The main network's first layer forward, its weight's gradient, the second layer's backward pass; then awkward shapes. */
const products: readonly NamedShape[] = [
  { name: "forward", m: 128, n: 1024, k: 784, tier: "full" },
  { name: "gradient", m: 784, n: 1024, k: 128, transposeA: true, tier: "full" },
  { name: "delta", m: 128, n: 1024, k: 256, transposeB: true, tier: "quick" },
  { name: "few columns", m: 128, n: 10, k: 256, tier: "full" },
  { name: "odd", m: 127, n: 1001, k: 785, tier: "full" },
  { name: "small", m: 16, n: 32, k: 64, tier: "full" },
  { name: "square", m: 512, n: 512, k: 512, tier: "full" },
];

// Each peer is imported for its turn, so that one that does not load spoils only its row.
const engines: Readonly<Record<string, (work: Matrices) => Promise<Runner>>> = {
  fallline,
  tfjs: async (work) => (await import("../engines/tfjs.ts")).product(work),
  jaxjs: async (work) => (await import("../engines/jaxjs.ts")).product(work),
  plain,
  naive,
};

/** Multiply-adds above which a naive step takes seconds on an emulated GPU. */
const mostOfNaive = 2 ** 26;

/** Sums of several hundred float32 products agree to 1e-6 or better; a wrong element shows. */
const tolerance = { number: 0, values: 1e-5 };

function productCase(shape: NamedShape): Case {
  const { name, m, n, k, tier } = shape;
  const work = once(() => createMatrices(shape));
  return {
    suite: "product",
    name: `${name} ${m}x${n}x${k}`,
    tier,
    // Elements of C, since a product has no parameters.
    n: m * n,
    tensors: 1,
    flops: flopsOfProduct(shape),
    expected: async () => expectedProduct(work()),
    tolerance,
    brief: true,
    contenders: Object.entries(engines).flatMap(([engine, load]): Contender[] =>
      engine === "naive" && m * n * k > mostOfNaive ? [] : [{ engine, load: () => load(work()) }],
    ),
    ours: "fallline",
  };
}

export const productCases: readonly Case[] = products.map(productCase);
