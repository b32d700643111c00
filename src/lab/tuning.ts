// `tuning.*`: finding a learning rate, and trying many at once.
export { findLr, rangeTest } from "./range_test.ts";
export { search } from "./search.ts";
export { gridTrials, randomTrials, spaced, sweep, trialConfig, withPeak } from "./sweep.ts";
