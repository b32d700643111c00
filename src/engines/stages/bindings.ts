// The buffers that the kernels of several stages bind.
import type { Access, Binding } from "./stage.ts";

const entries = (entry: Access["entry"]) => `array<${entry}>`;

export const params: Binding = { name: "params", use: "write", type: entries };
export const gradients: Binding = { name: "gradients", use: "read", type: entries };
export const chunks: Binding = { name: "chunks", use: "read", type: "array<Chunk>" };
export const table: Binding = { name: "table", use: "read", type: "array<u32>" };
export const control: Binding = { name: "control", use: "write", type: "array<Control>" };
export const sizes: Binding = { name: "sizes", use: "uniform", type: "Sizes" };
export const scalars: Binding = { name: "scalars", use: "write", type: "array<f32>" };
export const bins: Binding = { name: "bins", use: "read", type: "array<Bin>" };
/** Sums chunk by chunk, in the kernel that computes them and in the one that adds them up. */
export const partials: Binding = { name: "partials", use: "write", type: "array<Sum>" };
export const takenPartials: Binding = { name: "partials", use: "read", type: "array<Sum>" };
