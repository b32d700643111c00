// The types of wgsl_reflect's module file, which Node needs by this name (its package has types for the bare name only).
declare module "wgsl_reflect/wgsl_reflect.module.js" {
  export * from "wgsl_reflect";
}
