// Newton–Schulz on the CPU, in float64: the same products as on the GPU, listed in src/engines/stages/newton_schulz.ts.
import { newtonSchulz, type Quintic, type Square, type Wide } from "../stages/newton_schulz.ts";
import { product } from "./product.ts";

/** A row-major matrix, whose norm is at most 1, brought close to the nearest orthogonal one, times a factor. */
export function orthogonalised(
  matrix: Float64Array,
  [rows, columns]: readonly [number, number],
  quintics: readonly Quintic[],
  factor: number,
): Float64Array {
  // With the shorter side as rows.
  if (rows > columns) {
    const turned = orthogonalised(transposed(matrix, rows, columns), [columns, rows], quintics, factor);
    return transposed(turned, columns, rows);
  }
  const wide = new Map<Wide, Float64Array>([["prepared", matrix]]);
  const squares = new Map<Square, Float64Array>();
  const ofSquares = (left: Square, right: Square) => {
    const out = new Float64Array(rows * rows);
    product(out, squares.get(left)!, squares.get(right)!, { m: rows, k: rows, n: rows });
    return out;
  };
  for (const operation of newtonSchulz([rows, columns], quintics, factor)) {
    switch (operation.kind) {
      case "gram": {
        const [x, gram] = [wide.get(operation.x)!, new Float64Array(rows * rows)];
        product(gram, x, x, { m: rows, k: columns, n: rows }, { transposeB: true });
        squares.set(operation.to, gram);
        break;
      }
      case "polynomial": {
        const [a, b, c] = operation.quintic;
        const gram = squares.get(operation.gram)!;
        const mixed = ofSquares(operation.gram, operation.gram).map((square, i) => c * square + b * gram[i]!);
        for (let i = 0; i < rows; i++) mixed[i * (rows + 1)]! += a;
        squares.set(operation.to, mixed);
        break;
      }
      case "product":
        squares.set(operation.to, ofSquares(operation.left, operation.right));
        break;
      case "apply": {
        const out = new Float64Array(matrix.length);
        product(out, squares.get(operation.left)!, wide.get(operation.x)!, { m: rows, k: rows, n: columns });
        wide.set(operation.to, out);
        break;
      }
    }
  }
  return wide.get("orthogonal")!;
}

function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const turned = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j]!;
  return turned;
}
