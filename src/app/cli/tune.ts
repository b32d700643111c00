// `fallline tune`: measures, pins or forgets which kernel each matrix product of a model uses on this machine, and which
// shape the update has.
import { Command } from "commander";
import { OptionError, refusal, show } from "../../base/errors.ts";
import { readNumber } from "../../base/options.ts";
import { readName } from "../../base/words.ts";
import { adapterLine, describeAdapter } from "../../engines/gpu/device.ts";
import { clear } from "../../engines/gpu/kernel_choices.ts";
import { shapeNames, updateChoice } from "../../engines/gpu/kernel_shapes.ts";
import {
  perceptronProducts,
  type Tuned,
  type TunedUpdate,
  type TuneProgress,
  tune,
  tuneUpdate,
} from "../../engines/products/tuner.ts";
import { choices, pin } from "../../engines/products/variant_choices.ts";
import { variantNames, variants, whyNot } from "../../engines/products/variants.ts";
import { jobDefaults } from "../../lab/defaults.ts";
import { choicesPath } from "./choice_file.ts";
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
    .description(
      "measure which kernels are fastest here for a model's matrix products and updates; training then uses them",
    )
    .option("--model <widths>", "layer widths", jobDefaults.model)
    .option("--batch <n>", "examples per step", number, 128)
    .option(
      "--seconds <n>",
      "time to measure the products, and as much again for the update; the next run measures what is left",
      number,
      2,
    )
    .option("--again", "repeat earlier measurements")
    .option(
      "--pin <variant>",
      `always use this variant, leaving the other kind alone; for all products: ${variantNames.join(", ")}; for updates: ${shapeNames.join(", ")}`,
    )
    .option("--clear", "forget all measurements and pins")
    .option(
      "--json",
      'print only {"adapter","cache","products":[…],"update":{…}} to stdout; with --pin, only the pinned kind',
    )
    .addHelpText("after", "\nVariants that begin with f16 round the operands to float16; they run only when pinned.")
    .action(runTune);
}

async function runTune(options: TuneCommandOptions): Promise<void> {
  const widths = options.model.split("-").map((word) => readNumber("model", number(word), { min: 1, integer: true }));
  if (widths.length < 2) {
    throw refusal("model", options.model, `at least two widths, such as ${jobDefaults.model}`);
  }
  const batch = readNumber("batch", options.batch, { min: 1, integer: true });
  const seconds = readNumber("seconds", options.seconds, { above: 0 });
  for (const name of ["pin", "again", "json"] as const) {
    if (options.clear && options[name] !== undefined) {
      throw new OptionError(`${name} is ${show(options[name])}; with --clear it must be left out`);
    }
  }
  const variant =
    options.pin === undefined ? undefined : readName("pin", options.pin, [...variantNames, ...shapeNames]);
  const device = await openDevice();
  if (options.clear) {
    clear(device);
    console.error(`forgot what was measured and pinned on this adapter, in ${choicesPath()}`);
    return;
  }
  const pinsUpdate = variant !== undefined && shapeNames.includes(variant);
  if (variant !== undefined) await pin(device, pinsUpdate ? updateChoice : "all", variant);
  const bars = new Bars();
  const showing = (bar: string) => {
    let begun = false;
    return ({ done, total, shape, variant }: TuneProgress) => {
      if (!begun) bars.start(bar, total, "{metric}");
      begun = true;
      bars.update(done, { metric: `${shape} ${variant}` });
    };
  };
  const again = options.again ?? false;
  // What is pinned is not measured, and pinning one kind leaves the other alone.
  const products = pinsUpdate
    ? undefined
    : (
        await tune(device, perceptronProducts(widths, batch), {
          ...{ seconds, again, onProgress: showing("tuning") },
        }).finally(() => bars.stop())
      ).products;
  const update =
    variant !== undefined && !pinsUpdate
      ? undefined
      : await tuneUpdate(device, { seconds, again, onProgress: showing("update") }).finally(() => bars.stop());
  const adapter = adapterLine(describeAdapter(device.adapterInfo));
  if (options.json) {
    console.log(
      JSON.stringify({
        ...{ adapter, cache: choicesPath() },
        ...(products ? { products: products.map(plain) } : {}),
        ...(update ? { update: plainUpdate(update) } : {}),
      }),
    );
    return;
  }
  console.log(adapter);
  if (products) sayProducts(device, products);
  if (update) {
    console.log(updateTable(update));
    if (update.left.length > 0) {
      console.log(`${seconds} s is too little to compare the update's shapes; allow more with --seconds`);
    }
  }
  console.log(`${choices(device).length} choices are kept in ${choicesPath()}`);
}

function sayProducts(device: GPUDevice, products: readonly Tuned[]): void {
  console.log(table(products));
  // Of the other products, some variant was measured or is left to be.
  const small = products.filter(
    ({ source, speeds, left }) => source === "default" && left.length === 0 && Object.keys(speeds).length === 0,
  );
  if (small.length > 0) {
    console.log(
      `${small.length} of ${products.length} products have fewer than 10 million multiply-adds, too few to be worth measuring; they run the default`,
    );
  }
  const left = products.reduce((sum, product) => sum + product.left.length, 0);
  if (left > 0) console.log(`${left} measurements are left; the next run continues with them`);
  for (const variant of variants) {
    const reason = whyNot(device, variant);
    if (reason) console.log(`${variant.name} does not run here: ${reason}`);
  }
}

const plainUpdate = ({ speeds, ...rest }: TunedUpdate) => ({ ...rest, gigabytesPerSecond: speeds });

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
    ...measured.map((name) => cell(speeds[name])),
    variant,
    source,
  ]);
  return [...(measured.length > 0 ? ["GFLOP/s:"] : []), ...aligned([head, ...rows])].join("\n");
}

/** The shapes of the update's kernels, a column for each that was measured. */
function updateTable({ speeds, variant, source }: TunedUpdate): string {
  const measured = shapeNames.filter((name) => name in speeds);
  const head = ["update", ...measured, "choice", ""];
  const row = ["AdamW, clip", ...measured.map((name) => cell(speeds[name])), variant, source];
  return [...(measured.length > 0 ? ["GB/s:"] : []), ...aligned([head, row])].join("\n");
}

const cell = (speed: number | undefined) => (speed === 0 ? "refused" : (speed?.toPrecision(3) ?? "-"));

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((word, i) => word.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
}
