// What a device makes of numbers where WGSL leaves it open: of what is not a number, infinite or very small, of sums and products
// that a compiler may rearrange; and how far its functions are off.
import errorsText from "../shaders/probe/errors.wgsl?raw";
import factsText from "../shaders/probe/facts.wgsl?raw";
import { assemble } from "../src/base/assemble.ts";
import { allocate, bytesOf } from "../src/engines/gpu/allocate.ts";
import { compileKernel, encodeDispatches } from "../src/engines/gpu/kernel.ts";
import { readParts } from "../src/engines/gpu/readback.ts";

/** One thing that a device does, or does not. */
export interface Fact {
  /** Its name in the result. */
  readonly name: string;
  readonly about: string;
  /** What fallline needs it to be; absent where it does not matter. */
  readonly needed?: boolean;
  /** From the word that the kernel left. */
  readonly read: (word: number) => boolean;
}

const isOne = (word: number) => word === 1;
const isNan = (word: number) => (word & 0x7fff_ffff) > 0x7f80_0000;
const isZero = (word: number) => (word & 0x7fff_ffff) === 0;
const has = (value: number) => {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  return (word: number) => word === bits;
};

/** In the order of shaders/probe/facts.wgsl. */
export const facts: readonly Fact[] = [
  { name: "nanIsMade", about: "NaN + 1 has the bits of NaN", needed: true, read: isOne },
  { name: "nanIsUnequal", about: "NaN ≠ NaN", read: isOne },
  { name: "reluKeepsNan", about: "select(x, 0, x < 0) of NaN is NaN", read: isOne },
  { name: "maxKeepsNan", about: "max(NaN, 1) is NaN", read: isOne },
  { name: "minKeepsNan", about: "min(1, NaN) is NaN", read: isOne },
  { name: "clampKeepsNan", about: "clamp(NaN, -1, 1) is NaN", read: isOne },
  { name: "infinityIsMade", about: "a value beyond float32 has the bits of infinity", needed: true, read: isOne },
  { name: "infinityIsLarger", about: "a value beyond float32 is larger than any within", read: isOne },
  { name: "infinitiesDiffer", about: "∞ - ∞ is NaN", read: isOne },
  { name: "zeroWeightsInfinity", about: "select(w·∞, 0, w = 0) of w = 0 is NaN", read: isOne },
  { name: "tinyIsMoved", about: "2^-130 is stored as it was loaded", read: has(2 ** -130) },
  { name: "tinyIsAdded", about: "2^-130 + 2^-130 is 2^-129", read: has(2 ** -129) },
  { name: "tinyIsMade", about: "2^-126 / 2 is 2^-127", read: has(2 ** -127) },
  { name: "tinyIsCompared", about: "2^-130 > 0", read: isOne },
  { name: "tinyDivides", about: "1 / 2^-130 is infinite", read: has(Number.POSITIVE_INFINITY) },
  { name: "tinyHasRoot", about: "√(2^-130) is 2^-65", read: has(2 ** -65) },
  { name: "fused", about: "a·a - b is rounded once", read: (word) => !isZero(word) },
  { name: "reordered", about: "(2^27 + 1) - 2^27 is 1", read: (word) => !isZero(word) },
  { name: "grouped", about: "a·(b·x) in a loop is (a·b)·x, here 0", read: isZero },
  { name: "expOfNan", about: "exp(NaN) is NaN", read: isNan },
  { name: "tanhOfNan", about: "tanh(NaN) is NaN", read: isNan },
  { name: "tanhFarOut", about: "tanh(2^100) is 1", read: has(1) },
  { name: "expFarOut", about: "exp(-2^100) is 0", read: isZero },
];

/** How far functions are off. */
export interface Errors {
  /** In units in the last place: of a quotient, an inverse and a root. */
  readonly quotient: number;
  readonly inverse: number;
  readonly root: number;
  /** By the value, or by 1 where the value is less. */
  readonly exponential: number;
  readonly logarithm: number;
  readonly tanh: number;
}

const given = () => {
  const [tiny, least] = [2 ** -130, 2 ** -126];
  const ends = [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 127, least, tiny];
  const sums = [1 + 2 ** -12, 1 + 2 ** -11, 2 ** 27, 2 ** 100, 2 ** -100, 1, tiny, 0.5, 2];
  const values = Float32Array.of(...ends, ...sums, 0);
  new Uint32Array(values.buffer)[values.length - 1] = 4;
  return values;
};

/** Numbers from 2^-20 to 2^6, which share no pattern of bits. */
const numbers = Float32Array.from({ length: 1024 }, (_, i) => 2 ** (((i * 0.618034) % 1) * 26 - 20));

/**
 * What a device does, by {@link Fact.name}, and how far its functions are off.
 *
 * @throws DeviceError where it compiles or runs nothing.
 */
export async function findFacts(
  device: GPUDevice,
): Promise<{ readonly facts: Readonly<Record<string, boolean>>; readonly errors: Errors }> {
  const sources = [
    assemble("probe of numbers", [{ name: "shaders/probe/facts.wgsl", text: factsText }]),
    assemble("probe of functions", [{ name: "shaders/probe/errors.wgsl", text: errorsText }]),
  ];
  const kernels = await Promise.all(sources.map((source) => compileKernel(device, source, ["write", "read"], {})));
  const inputs = [given(), numbers];
  const lengths = [facts.length, 6 * numbers.length];
  const { made, buffers } = await allocate(device, "a probe of numbers", (create) =>
    kernels.map(({ pipeline, bind }, i) => {
      const bytes = 4 * lengths[i]!;
      const buffer = create(`probe ${i}`, bytes);
      const from = create(`probe of ${i}`, inputs[i]!.byteLength, bytesOf(inputs[i]!));
      const workgroups = [i === 0 ? 1 : Math.ceil(numbers.length / 64), 1] as const;
      return { buffer, offset: 0, bytes, dispatch: { pipeline, bindGroup: bind([buffer, from]), workgroups } };
    }),
  );
  try {
    const [words, values] = await readParts(device, made, (encoder) => {
      const pass = encoder.beginComputePass({ label: "fallline probe of numbers" });
      encodeDispatches(
        pass,
        made.map(({ dispatch }) => dispatch),
      );
      pass.end();
    });
    const bits = new Uint32Array(words!);
    return {
      facts: Object.fromEntries(facts.map(({ name, read }, i) => [name, read(bits[i]!)])),
      errors: errorsOf(new Float32Array(values!)),
    };
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** Of the kernel's six values of each number. */
function errorsOf(found: Float32Array): Errors {
  const unit = (value: number) => 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23);
  const size = (value: number) => Math.max(1, Math.abs(value));
  const worst = (nth: number, exact: (x: number, other: number) => number, by: (value: number) => number) =>
    numbers.reduce((most, x, i) => {
      const value = exact(x, numbers[(i + 1) % numbers.length]!);
      const error = Math.abs(found[6 * i + nth]! - value) / by(value);
      // NaN must not pass for small.
      return error <= most ? most : error;
    }, 0);
  return {
    quotient: worst(0, (x, other) => other / x, unit),
    inverse: worst(1, (x) => 1 / x, unit),
    root: worst(2, Math.sqrt, unit),
    exponential: worst(3, (x) => Math.exp(-x), size),
    logarithm: worst(4, Math.log, size),
    tanh: worst(5, Math.tanh, size),
  };
}
