// `datasets.*`: data sets from arrays and files, and functions that split them.
export { arrayDataset as fromArrays } from "./arrays.ts";
export { parseCsv as fromCsv } from "./csv.ts";
export { batches, classNotes, firstRows as first, sliceRows as slice, splitRows as split } from "./dataset.ts";
export { digitsDataset as digits } from "./digits.ts";
export { idxDataset as fromIdx, parseIdx } from "./idx.ts";
export { mnistDataset as mnist } from "./mnist.ts";
export { pointsDataset as points } from "./points.ts";
export { standardizeRows as standardize } from "./standardize.ts";
export { uciDigits } from "./uci_digits.ts";
