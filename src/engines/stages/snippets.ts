// The WGSL that several kernels share, file by file.
import arrive from "../../../shaders/arrive.wgsl?raw";
import cell from "../../../shaders/cell.wgsl?raw";
import chunk from "../../../shaders/chunk.wgsl?raw";
import control from "../../../shaders/control.wgsl?raw";
import fileSum from "../../../shaders/file_sum.wgsl?raw";
import gradient from "../../../shaders/gradient.wgsl?raw";
import join from "../../../shaders/join.wgsl?raw";
import loadScalar from "../../../shaders/load_scalar.wgsl?raw";
import loadVec4 from "../../../shaders/load_vec4.wgsl?raw";
import nan from "../../../shaders/nan.wgsl?raw";
import paramsScalar from "../../../shaders/params_scalar.wgsl?raw";
import paramsVec4 from "../../../shaders/params_vec4.wgsl?raw";
import scaleNorm from "../../../shaders/scale_norm.wgsl?raw";
import scalePlain from "../../../shaders/scale_plain.wgsl?raw";
import table from "../../../shaders/table.wgsl?raw";
import total from "../../../shaders/total.wgsl?raw";
import workgroup from "../../../shaders/workgroup.wgsl?raw";
import type { Snippet } from "../../base/assemble.ts";

/** A file of shaders/ as a piece of a source. */
export function file(path: string, text: string): Snippet {
  return { name: `shaders/${path}.wgsl`, text };
}

export const workgroupSnippet = file("workgroup", workgroup);
export const controlSnippet = file("control", control);
export const tableSnippet = file("table", table);
export const chunkSnippet = file("chunk", chunk);
export const loadSnippets = { vec4: file("load_vec4", loadVec4), scalar: file("load_scalar", loadScalar) };
export const paramsSnippets = { vec4: file("params_vec4", paramsVec4), scalar: file("params_scalar", paramsScalar) };
export const scaleSnippets = { norm: file("scale_norm", scaleNorm), plain: file("scale_plain", scalePlain) };
export const nanSnippet = file("nan", nan);
export const cellAccessSnippet = file("cell", cell);
export const gradientSnippet = file("gradient", gradient);
export const joinSnippet = file("join", join);
export const fileSumSnippet = file("file_sum", fileSum);
export const totalSnippet = file("total", total);
export const arriveSnippet = file("arrive", arrive);
