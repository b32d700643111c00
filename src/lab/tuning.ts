// `tuning.*`: finding a learning rate, and trying many at once.
export { findLr, rangeTest } from "./lr_finder.ts";
export { search } from "./search.ts";
export { gridTrials, randomTrials, spaced, sweep, trialConfig, withPeak } from "./sweep.ts";
