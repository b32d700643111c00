// Options at which the tests run each experiment of the lab: small ones, seconds in all.

/** By the name of the experiment. */
export const smallLab: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "speed-limit": { dimension: 3, condition: 5, replicas: 8, momentum: 0.5, seed: 3 },
};
