// The numbers of Muon's Newton–Schulz iteration (Jordan et al. 2024), for both engines.
export const newtonSchulz = { a: 3.4445, b: -4.775, c: 2.0315, steps: 5 } as const;
