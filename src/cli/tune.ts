// `fallline tune`: which kernel each matrix product of a model runs on this machine, measured, pinned or forgotten.
import { Command } from "commander";
import { OptionError, show } from "../errors.ts";
import { jobDefaults } from "../lab/defaults.ts";
import { choices, clear, pin } from "../objectives/choices.ts";
import { perceptronProducts, type Tuned, tune } from "../objectives/tuner.ts";
import { variantNames, variants, whyNot } from "../objectives/variants.ts";
import { readNumber } from "../options.ts";
import { choicesPath } from "./choices.ts";
import { openDevice } from "./engine.ts";
import { number } from "./number.ts";
import { Bars } from "./progress.ts";

interface TuneCommandOptions {
  readonly model: string;
  readonly batch: number | string;
  readonly seconds: number | string;
  readonly again?: boolean;
  readonly pin?: string;
  readonly clear?: boolean;
  readonly json?: boolean;
}

export function tuneCommand(): Command {
  return new Command("tune")
    .description("measure which kernel multiplies the matrices of a model fastest here; training then runs it")
    .option("--model <widths>", "widths of the layers", jobDefaults.model)
    .option("--batch <n>", "examples per step", number, 128)
    .option("--seconds <n>", "time for measuring; what is left is measured the next time", number, 2)
    .option("--again", "measure again what was measured before")
    .option("--pin <variant>", `run one for all products from now on: ${variantNames.join(", ")}`)
    .option("--clear", "forget what was measured and pinned")
    .option("--json", 'print {"adapter","cache","products":[…]} on stdout and nothing else there')
    .addHelpText(
      "after",
      "\nVariants that begin with f16 round the operands to float16; they run only where they are pinned.",
    )
    .action(runTune);
}

async function runTune(options: TuneCommandOptions): Promise<void> {
  const widths = options.model.split("-").map((word) => readNumber("model", number(word), { min: 1, integer: true }));
  if (widths.length < 2) {
    throw new OptionError(
      `model is ${show(options.model)}; it must be two widths at least, such as ${jobDefaults.model}`,
    );
  }
  const batch = readNumber("batch", options.batch, { min: 1, integer: true });
  const seconds = readNumber("seconds", options.seconds, { above: 0 });
  if (options.pin !== undefined && options.clear) {
    throw new OptionError(`pin is ${show(options.pin)}; with --clear it must be left out`);
  }
  const device = await openDevice();
  if (options.clear) {
    clear(device);
    console.error(`forgot what was measured and pinned on this adapter, in ${choicesPath()}`);
    return;
  }
  if (options.pin !== undefined) await pin(device, "all", options.pin);
  const bars = new Bars();
  let begun = false;
  const { adapter, products } = await tune(device, perceptronProducts(widths, batch), {
    seconds,
    again: options.again ?? false,
    onProgress: ({ done, total, shape, variant }) => {
      if (!begun) bars.start("tuning", total, "{metric}");
      begun = true;
      bars.update(done, { metric: `${shape} ${variant}` });
    },
  }).finally(() => bars.stop());
  if (options.json) {
    console.log(JSON.stringify({ adapter, cache: choicesPath(), products: products.map(plain) }));
    return;
  }
  console.log(adapter);
  console.log(table(products));
  // Of others something was measured or is left to be.
  const small = products.filter(
    ({ source, speeds, left }) => source === "default" && left.length === 0 && Object.keys(speeds).length === 0,
  );
  if (small.length > 0) {
    console.log(
      `${small.length} of ${products.length} products have fewer than 10 million multiply-adds, too few to be worth measuring; they run the default`,
    );
  }
  const left = products.reduce((sum, product) => sum + product.left.length, 0);
  if (left > 0) console.log(`${left} measurements are left; the next run goes on with them`);
  for (const variant of variants) {
    const reason = whyNot(device, variant);
    if (reason) console.log(`${variant.name} does not run here: ${reason}`);
  }
  console.log(`${choices(device).length} choices are kept in ${choicesPath()}`);
}

const plain = ({ product, shape, variant, source, speeds, left }: Tuned) => ({
  ...product,
  shape,
  variant,
  source,
  gflops: speeds,
  left,
});

/** A line for each product, a column for each variant that was measured. */
function table(products: readonly Tuned[]): string {
  const measured = variantNames.filter((name) => products.some(({ speeds }) => name in speeds));
  const head = ["product", "form", ...measured, "choice", ""];
  const rows = products.map(({ product: { m, n, k, transposeA, transposeB }, speeds, variant, source }) => [
    `${m} × ${n} × ${k}`,
    `A${transposeA ? "ᵀ" : ""}·B${transposeB ? "ᵀ" : ""}`,
    ...measured.map((name) => (speeds[name] === 0 ? "refused" : (speeds[name]?.toPrecision(3) ?? "-"))),
    variant,
    source,
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  return [...(measured.length > 0 ? ["GFLOP/s:"] : []), ...[head, ...rows].map(line)].join("\n");
}
