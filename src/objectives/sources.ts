// The kernels of the objectives, assembled from shaders/objectives.
import activation from "../../shaders/objectives/activation.wgsl?raw";
import batch from "../../shaders/objectives/batch.wgsl?raw";
import columnSum from "../../shaders/objectives/column_sum.wgsl?raw";
import epilogue from "../../shaders/objectives/epilogue.wgsl?raw";
import gather from "../../shaders/objectives/gather.wgsl?raw";
import outcome from "../../shaders/objectives/outcome.wgsl?raw";
import product from "../../shaders/objectives/product.wgsl?raw";
import productAny from "../../shaders/objectives/product_any.wgsl?raw";
import replicas from "../../shaders/objectives/replicas.wgsl?raw";
import softmaxCrossEntropy from "../../shaders/objectives/softmax_cross_entropy.wgsl?raw";
import total from "../../shaders/objectives/total.wgsl?raw";
import { assemble } from "../assemble.ts";

const part = (file: string, text: string) => ({ name: `shaders/objectives/${file}.wgsl`, text });
const replicasPart = part("replicas", replicas);
const productParts = [replicasPart, part("activation", activation), part("epilogue", epilogue)];
const batchPart = part("batch", batch);
const outcomePart = part("outcome", outcome);

export const gatherSource = assemble("gather", [batchPart, part("gather", gather)]);
export const productSource = assemble("product", [...productParts, part("product", product)]);
export const productAnySource = assemble("product of any size", [...productParts, part("product_any", productAny)]);
export const columnSumSource = assemble("column sum", [replicasPart, part("column_sum", columnSum)]);
export const softmaxCrossEntropySource = assemble("softmax cross-entropy", [
  batchPart,
  outcomePart,
  replicasPart,
  part("softmax_cross_entropy", softmaxCrossEntropy),
]);
export const totalSource = assemble("total", [batchPart, outcomePart, replicasPart, part("total", total)]);
