// Options at which the tests run each experiment of the lab: small ones, seconds in all.

/** By the name of the experiment. */
export const smallLab: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "speed-limit": { dimension: 3, condition: 5, replicas: 8, momentum: 0.5, seed: 3 },
  euler: { dimension: 4, condition: 50, points: 16, seed: 2 },
  cascade: { replicas: 1024, steps: 1000, seed: 5 },
  temperature: { walkers: 2048, lr: 1, momentum: 0.3, curvature: 0.8, noise: 2, seed: 2 ** 40 + 1 },
  kicks: { replicas: 1000, cycles: 3, seed: 11 },
  tracking: { walkers: 2048, replicas: 7, drift: 0.1, lr: 0.5, seed: 7 },
  layers: { depth: 4, width: 32, seed: 4 },
  "cascade-rnn": { replicas: 56, steps: 800, seed: 2 },
  batch: { trials: 24, dimension: 8, seed: 1 },
  canyon: { condition: 300, replicas: 6, seed: 1 },
  federated: { workers: 3, local: 6, rounds: 350, seed: 1 },
  retention: { rows: 100, width: 16, replicas: 4, steps: 20, seed: 3 },
  edge: { steps: 300, lr: [1.3], seed: 1 },
  handover: { gradients: 300, width: 8, points: 20, seeds: 1, seed: 2 },
};
