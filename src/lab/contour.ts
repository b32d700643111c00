// Contour lines of a function of two coordinates, for pictures of landscapes: marching squares over a grid, crossings
// joined to polylines.
type Interval = readonly [low: number, high: number];
type Point = readonly [x: number, y: number];

/** Heights on a grid of `cells` by `cells` squares over a box, row after row. */
export interface Heights {
  readonly box: readonly [Interval, Interval];
  readonly cells: number;
  readonly values: Float64Array;
}

export function heightsOf(f: (x: number, y: number) => number, box: Heights["box"], cells: number): Heights {
  const at = ([low, high]: Interval, i: number) => low + ((high - low) * i) / cells;
  const side = cells + 1;
  const values = Float64Array.from({ length: side * side }, (_, k) =>
    f(at(box[0], k % side), at(box[1], Math.floor(k / side))),
  );
  return { box, cells, values };
}

/** `count` levels with equal shares of the box between neighbours: flat parts get lines too. */
export function levelsOf({ values }: Heights, count: number): readonly number[] {
  const sorted = values.slice().sort();
  return Array.from({ length: count }, (_, k) => sorted[Math.floor(((k + 0.5) / count) * sorted.length)]!);
}

/** The lines on which the height is `level`; a closed one ends where it starts. */
export function contour({ box, cells, values }: Heights, level: number): readonly (readonly Point[])[] {
  const side = cells + 1;
  const isAbove = (corner: number) => values[corner]! > level;
  // An edge of the grid is numbered by its lower corner: even for the edge to the right, odd for the edge upwards.
  const links = new Map<number, number[]>();
  const link = (a: number, b: number) => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = links.get(from);
      if (known) known.push(to);
      else links.set(from, [to]);
    }
  };
  for (let cell = 0; cell < cells * cells; cell++) {
    const corner = Math.floor(cell / cells) * side + (cell % cells);
    const corners = [corner, corner + 1, corner + side + 1, corner + side];
    const around = [2 * corner, 2 * (corner + 1) + 1, 2 * (corner + side), 2 * corner + 1];
    const crossed = around.filter((_, k) => isAbove(corners[k]!) !== isAbove(corners[(k + 1) % 4]!));
    for (let k = 0; k + 1 < crossed.length; k += 2) link(crossed[k]!, crossed[k + 1]!);
  }
  const place = (edge: number): Point => {
    const from = edge >> 1;
    const to = edge % 2 === 0 ? from + 1 : from + side;
    const share = (level - values[from]!) / (values[to]! - values[from]!);
    const mean = (a: number, b: number) => a + share * (b - a);
    const scaled = ([low, high]: Interval, i: number) => low + ((high - low) * i) / cells;
    return [
      scaled(box[0], mean(from % side, to % side)),
      scaled(box[1], mean(Math.floor(from / side), Math.floor(to / side))),
    ];
  };
  const walk = (start: number): Point[] => {
    const line = [place(start)];
    let edge = start;
    for (let next = links.get(edge)?.pop(); next !== undefined; next = links.get(edge)?.pop()) {
      const back = links.get(next)!;
      back.splice(back.indexOf(edge), 1);
      line.push(place(next));
      edge = next;
    }
    return line;
  };
  // First the lines that end at the border of the box, so that the rest are closed.
  const ends = [...links].filter(([, to]) => to.length === 1).map(([edge]) => edge);
  return [...ends, ...links.keys()].map(walk).filter((line) => line.length > 1);
}
