// The WGSL that several kernels share, file by file.
import arrive from "../../../shaders/arrive.wgsl?raw";
import bounds from "../../../shaders/bounds.wgsl?raw";
import cell from "../../../shaders/cell.wgsl?raw";
import chunk from "../../../shaders/chunk.wgsl?raw";
import control from "../../../shaders/control.wgsl?raw";
import gradient from "../../../shaders/gradient.wgsl?raw";
import join from "../../../shaders/join.wgsl?raw";
import loadScalar from "../../../shaders/load_scalar.wgsl?raw";
import loadVec4 from "../../../shaders/load_vec4.wgsl?raw";
import nan from "../../../shaders/nan.wgsl?raw";
import paramsScalar from "../../../shaders/params_scalar.wgsl?raw";
import paramsVec4 from "../../../shaders/params_vec4.wgsl?raw";
import philox from "../../../shaders/philox.wgsl?raw";
import plainSum from "../../../shaders/plain_sum.wgsl?raw";
import scaleNorm from "../../../shaders/scale_norm.wgsl?raw";
import scalePlain from "../../../shaders/scale_plain.wgsl?raw";
import signs from "../../../shaders/signs.wgsl?raw";
import storeSum from "../../../shaders/store_sum.wgsl?raw";
import table from "../../../shaders/table.wgsl?raw";
import total from "../../../shaders/total.wgsl?raw";
import workgroup from "../../../shaders/workgroup.wgsl?raw";
import type { Snippet } from "../../base/assemble.ts";
import type { Access } from "./stage.ts";

/** A file of shaders/ as a snippet. */
export function file(path: string, text: string): Snippet {
  return { name: `shaders/${path}.wgsl`, text };
}

export const workgroupSnippet = /* @__PURE__ */ file("workgroup", workgroup);
export const controlSnippet = /* @__PURE__ */ file("control", control);
export const tableSnippet = /* @__PURE__ */ file("table", table);
export const chunkSnippet = /* @__PURE__ */ file("chunk", chunk);
export const vec4Access: Access = {
  name: "vec4",
  entry: "vec4f",
  gradients: /* @__PURE__ */ file("load_vec4", loadVec4),
  params: /* @__PURE__ */ file("params_vec4", paramsVec4),
};
export const scalarAccess: Access = {
  name: "scalar",
  entry: "f32",
  gradients: /* @__PURE__ */ file("load_scalar", loadScalar),
  params: /* @__PURE__ */ file("params_scalar", paramsScalar),
};
export const scaleSnippets = {
  norm: /* @__PURE__ */ file("scale_norm", scaleNorm),
  plain: /* @__PURE__ */ file("scale_plain", scalePlain),
};
export const philoxSnippet = /* @__PURE__ */ file("philox", philox);
export const nanSnippet = /* @__PURE__ */ file("nan", nan);
export const signsSnippet = /* @__PURE__ */ file("signs", signs);
export const boundsSnippet = /* @__PURE__ */ file("bounds", bounds);
export const cellAccessSnippet = /* @__PURE__ */ file("cell", cell);
export const gradientSnippet = /* @__PURE__ */ file("gradient", gradient);
export const joinSnippet = /* @__PURE__ */ file("join", join);
export const plainSumSnippet = /* @__PURE__ */ file("plain_sum", plainSum);
export const storeSumSnippet = /* @__PURE__ */ file("store_sum", storeSum);
export const totalSnippet = /* @__PURE__ */ file("total", total);
export const arriveSnippet = /* @__PURE__ */ file("arrive", arrive);
