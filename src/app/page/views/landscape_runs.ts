// Computations of the landscape view: its surfaces and rules, the paths of runs from a start, the places where points may end, and
// the share of a cloud that ended at each.
import { OptionError, refusal, show } from "../../../base/errors.ts";
import { createCpuOptimizer } from "../../../engines/cpu/optimizer.ts";
import type { LabOption } from "../../../lab/experiments/experiment.ts";
import { type ScheduleShape, scheduleShapes } from "../../../lab/schedule_shapes.ts";
import { pointsName } from "../../../objectives/landscape.ts";
import type { Landscape } from "../../../objectives/landscapes/define.ts";
import { landscapeDefinitions } from "../../../objectives/landscapes/index.ts";
import { createCpuObjective } from "../../../objectives/objective_cpu.ts";
import { breathe } from "../../../objectives/turns.ts";
import type { OptimizerConfig } from "../../../optimizer/config.ts";
import { rules as registry } from "../../../rules/index.ts";
import { sgd } from "../../../rules/sgd.ts";

/** The name of the quadratic here, whose condition and angle can be set. */
export const canyon = "canyon";

/** Every landscape of the registry, in two dimensions. */
export const surfaceNames: readonly string[] = landscapeDefinitions.map(({ type }) =>
  type === "quadratic" ? canyon : type,
);

/** A landscape of two coordinates; `condition` and `angle` shape only the canyon. */
export function surfaceOf(name: string, condition: number, angle: number): Landscape {
  const type = name === canyon ? "quadratic" : name;
  const definition = landscapeDefinitions.find((each) => each.type === type)!;
  const hasDimension = definition.options.some((option) => option.name === "dimension");
  return definition.read("landscape", {
    type,
    ...(hasDimension ? { dimension: 2 } : {}),
    ...(name === canyon ? { condition, angle } : {}),
  });
}

type Point = readonly [x: number, y: number];

/** A box of the first two coordinates. */
export type Box = Landscape["domain"];

const widthOf = (box: Box) => Math.max(box[0][1] - box[0][0], box[1][1] - box[1][0]);

/** Rules with options of their own, beside those of the registry. */
const variants: Readonly<Record<string, Omit<OptimizerConfig, "lr">>> = {
  momentum: { rule: sgd, momentum: 0.9 },
  nesterov: { rule: sgd, momentum: 0.9, nesterov: true },
};

/** Rules that can move a single point: all but those for matrices. */
export const racerNames: readonly string[] = [
  "sgd",
  ...Object.keys(variants),
  ...registry.filter(({ name, only }) => !only && name !== "sgd").map(({ name }) => name),
];

/** Without weight decay, which would pull towards the origin. */
function configOf(name: string, lr: OptimizerConfig["lr"]): OptimizerConfig {
  const variant = variants[name];
  if (variant) return { ...variant, lr } as OptimizerConfig;
  const rule = registry.find((each) => each.name === name)!;
  return { rule, lr, ...("weightDecay" in rule.hypers ? { weightDecay: 0 } : {}) } as OptimizerConfig;
}

/** Rules whose step is the gradient times the rate. */
const bySlope = ["sgd", "momentum", "nesterov", "asgd", "scheduleFreeSgd", "hypergradientSgd"];

/** Those of them whose steps add up. */
const momentous = Object.keys(variants);
/** Rules whose steps have the length of the rate in each coordinate, however flat it is there. */
const bySign = ["lion", "signum"];

/** A rate of two digits that suits a rule on a landscape, from its curvature and width. */
export function usualRateOn(landscape: Landscape, name: string): number {
  if (bySlope.includes(name)) {
    return Number(((momentous.includes(name) ? 0.2 : 1) / typicalCurvature(landscape)).toPrecision(2));
  }
  // Rules that find their own scale take a rate of about 1.
  const standard = registry.find((each) => each.name === name)?.hypers.lr?.default;
  if (standard !== undefined && standard >= 0.5) return standard;
  return Number(((bySign.includes(name) ? 0.003 : 0.01) * widthOf(landscape.domain)).toPrecision(2));
}

/** The curvature of each landscape, computed once: it is needed whenever a start moves. */
const curvatures = new WeakMap<Landscape, number>();

/** About the largest curvature in most places of a landscape's picture. */
function typicalCurvature(landscape: Landscape): number {
  const known = curvatures.get(landscape);
  if (known !== undefined) return known;
  const all = [...gridOf(landscape.domain, 16)].map((at) => {
    const sums = landscape.hessian(at).map((row) => Math.abs(row[0]!) + Math.abs(row[1]!));
    return Math.max(...sums);
  });
  all.sort((a, b) => a - b);
  const typical = all[Math.floor(0.7 * all.length)]!;
  curvatures.set(landscape, typical);
  return typical;
}

function* gridOf([[left, right], [low, high]]: Box, cells: number): Generator<Point> {
  for (let k = 0; k <= cells; k++) {
    for (let i = 0; i <= cells; i++) {
      yield [left + ((right - left) * i) / cells, low + ((high - low) * k) / cells];
    }
  }
}

/** A rule with its own rate, or with the usual one. */
export interface Racer {
  readonly name: string;
  readonly rate?: number;
}

/** Rules for which there are colours. */
export const mostRacers = 8;

/** Parses racers such as "sgd:0.01,adam"; the text must be valid. */
export function racersOf(text: string): readonly Racer[] {
  return text.split(",").map((word) => {
    const [name = "", rate] = word.split(":");
    return rate === undefined ? { name } : { name, rate: Number(rate) };
  });
}

/** Racers as text for {@link racersOf}. */
export const printRacers = (racers: readonly Racer[]) =>
  racers.map(({ name, rate }) => (rate === undefined ? name : `${name}:${rate}`)).join(",");

/** An option that lists racers. */
export function racers(meaning: string, standard: string): LabOption<string> {
  return {
    meaning,
    kind: "word",
    allowed: `1 to ${mostRacers} rules separated by commas, each once, with ":" and a rate > 0 if not the usual one`,
    default: standard,
    read(name, value) {
      if (typeof value !== "string") throw refusal(name, value, this.allowed);
      const read = racersOf(value);
      for (const each of read) {
        if (!racerNames.includes(each.name))
          throw new OptionError(
            `${name} names ${show(each.name)}, which is not a rule here; it must be one of ${racerNames.join(", ")}`,
          );
        if (each.rate !== undefined && !(each.rate > 0 && each.rate <= 1e6))
          throw new OptionError(`${name} gives ${each.name} an invalid rate; it must be a number > 0 and at most 1e6`);
      }
      if (read.length > mostRacers || new Set(read.map((each) => each.name)).size < read.length)
        throw refusal(name, value, this.allowed);
      return value;
    },
  };
}

/** An option that lists some of these words, separated by commas, each once. */
export function someOf(meaning: string, names: readonly string[], standard: string): LabOption<string> {
  return {
    meaning,
    kind: "word",
    allowed: `some of ${names.join(", ")}, separated by commas`,
    default: standard,
    read(name, value) {
      const words = typeof value === "string" ? value.split(",") : [];
      if (words.length > 0 && words.every((word, i) => names.includes(word) && words.indexOf(word) === i))
        return words.join(",");
      throw refusal(name, value, this.allowed);
    },
  };
}

/** An option for a place: two numbers separated by a comma, or empty for the landscape's own start. */
export function place(meaning: string): LabOption<string> {
  return {
    meaning,
    kind: "word",
    allowed: "two numbers separated by a comma, each within ±1e6, or nothing",
    default: "",
    read(name, value) {
      const text = typeof value === "string" ? value.trim() : "?";
      const numbers = text.split(",").map((word) => (word.trim() === "" ? Number.NaN : Number(word)));
      if (text === "" || (numbers.length === 2 && numbers.every((each) => Math.abs(each) <= 1e6))) return text;
      throw refusal(name, value, this.allowed);
    },
  };
}

/** The place in a text; the landscape's own start if it is empty. */
export function placeOf(text: string, landscape: Landscape): Point {
  const [x, y] = text === "" ? landscape.start() : text.split(",").map(Number);
  return [x!, y!];
}

/** A rule's rate over the run: its own or the usual one, times a factor, by a schedule of this shape. */
export function driven(
  landscape: Landscape,
  { name, rate }: Racer,
  { times, schedule, steps }: { readonly times: number; readonly schedule: ScheduleShape; readonly steps: number },
): OptimizerConfig {
  const peak = (rate ?? usualRateOn(landscape, name)) * times;
  return configOf(name, scheduleShapes[schedule](peak, steps));
}

/** The path of one rule under one schedule. */
export interface Way {
  readonly racer: Racer;
  readonly schedule: ScheduleShape;
  /** x and y at the start and after each step; the list ends where a number is no longer finite. */
  readonly places: readonly number[];
}

export interface WayOptions {
  readonly landscape: Landscape;
  readonly racers: readonly Racer[];
  readonly schedules: readonly ScheduleShape[];
  readonly times: number;
  readonly steps: number;
  readonly start: Point;
  /** Whether the result is no longer needed. */
  isStale(): boolean;
}

/** The paths of all rules under all schedules, each alone from the same start; undefined if they are no longer needed. */
export async function waysFrom(options: WayOptions): Promise<readonly Way[] | undefined> {
  const { landscape, steps, start, times } = options;
  const ways: Way[] = [];
  for (const racer of options.racers) {
    for (const schedule of options.schedules) {
      const optimizer = createCpuOptimizer(
        { [pointsName]: { shape: [1, 2], data: [...start] } },
        driven(landscape, racer, { times, schedule, steps }),
      );
      const objective = createCpuObjective(optimizer, landscape);
      try {
        const point = optimizer.view("params", pointsName);
        const places: number[] = [point[0]!, point[1]!];
        for (let step = 0; step < steps; step++) {
          // Like a step, but without its report.
          await objective.gradient();
          optimizer.step();
          if (!Number.isFinite(landscape.value(point))) break;
          places.push(point[0]!, point[1]!);
          await breathe();
          if (options.isStale()) return undefined;
        }
        ways.push({ racer, schedule, places });
      } finally {
        objective.destroy();
        optimizer.destroy();
      }
    }
  }
  return ways;
}

/** A run counts as arrived when this share of the distance at its start is left. */
const arrivedShare = 1e-3;

export interface Outcome {
  /** Steps until the distance to its end stays below {@link arrivedShare} of that at the start; null if it does not. */
  readonly arrivedAfter: number | null;
  /** The outcome in a clause. */
  readonly text: string;
}

/** The outcome of a path after `steps` steps. @param ends The landscape's minima. */
export function outcomeOf({ places }: Way, steps: number, landscape: Landscape, ends: readonly Point[]): Outcome {
  const made = places.length / 2 - 1;
  if (made < steps) return { arrivedAfter: null, text: `diverged: not finite after step ${made + 1}` };
  const at = (step: number): Point => [places[2 * step]!, places[2 * step + 1]!];
  const last = at(made);
  const height = `height ${landscape.value(last).toPrecision(3)}`;
  const end = nearestOf(ends, last);
  if (!end) return { arrivedAfter: null, text: `${height} after ${steps} steps` };
  const first = distance(at(0), end);
  let outside = made;
  while (outside >= 0 && distance(at(outside), end) <= arrivedShare * first) outside--;
  if (outside < made) return { arrivedAfter: outside + 1, text: `there within 1e-3 after ${outside + 1} steps` };
  const left = distance(last, end) / first;
  return {
    arrivedAfter: null,
    text: `${Number((100 * left).toPrecision(2))} % of the way left after ${steps} steps, ${height}`,
  };
}

const distance = ([x, y]: Point, [u, v]: Point) => Math.hypot(x - u, y - v);

function nearestOf(ends: readonly Point[], at: Point): Point | undefined {
  return ends.reduce<Point | undefined>(
    (best, end) => (best === undefined || distance(end, at) < distance(best, at) ? end : best),
    undefined,
  );
}

/**
 * The minima in a landscape's picture, by y and then x: those that it lists, and those that Newton's method finds from each grid
 * point that is lower than its neighbours.
 */
export function endsOf(landscape: Landscape): readonly Point[] {
  const { domain } = landscape;
  const cells = 100;
  const grid = [...gridOf(domain, cells)];
  const heights = grid.map((at) => landscape.value(at));
  const side = cells + 1;
  const around = [-side - 1, -side, -side + 1, -1, 1, side - 1, side, side + 1];
  const inside = ([x, y]: Point) => x >= domain[0][0] && x <= domain[0][1] && y >= domain[1][0] && y <= domain[1][1];
  const found: Point[] = landscape.minima().map((each): Point => [each[0]!, each[1]!]);
  for (const [k, at] of grid.entries()) {
    const [i, j] = [k % side, Math.floor(k / side)];
    if (i === 0 || j === 0 || i === cells || j === cells) continue;
    if (!around.every((step) => heights[k + step]! > heights[k]!)) continue;
    const refined = minimumNear(landscape, at);
    if (refined && inside(refined) && !found.some((other) => distance(other, refined) < 0.02 * widthOf(domain)))
      found.push(refined);
  }
  return found.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
}

/** The minimum to which Newton's method converges; undefined if it does not. */
function minimumNear(landscape: Landscape, from: Point): Point | undefined {
  let [x, y] = from;
  for (let step = 0; step < 30; step++) {
    const [gx, gy] = landscape.gradient([x, y]);
    const [[a, b], [, d]] = landscape.hessian([x, y]) as unknown as readonly [Point, Point];
    const determinant = a * d - b * b;
    if (!(determinant > 0 && a > 0)) return undefined;
    const [dx, dy] = [(d * gx! - b * gy!) / determinant, (a * gy! - b * gx!) / determinant];
    x -= dx;
    y -= dy;
    if (Math.hypot(dx, dy) < 1e-9 * widthOf(landscape.domain)) return [x, y];
  }
  return undefined;
}

/** A cloud of starts: a grid over a box, row after row; the last row may have fewer points. */
export interface Cloud {
  readonly columns: number;
  readonly rows: number;
  /** x and y of each point. */
  readonly starts: Float32Array<ArrayBuffer>;
}

export function cloudOf([[left, right], [low, high]]: Box, count: number): Cloud {
  const root = Math.sqrt(count);
  let columns = Math.floor(root);
  while (columns > root / 2 && count % columns > 0) columns--;
  if (count % columns > 0) columns = Math.ceil(root);
  const rows = Math.ceil(count / columns);
  const starts = new Float32Array(2 * count);
  for (let k = 0; k < count; k++) {
    starts[2 * k] = left + ((right - left) * ((k % columns) + 0.5)) / columns;
    starts[2 * k + 1] = low + ((high - low) * (Math.floor(k / columns) + 0.5)) / rows;
  }
  return { columns, rows, starts };
}

/** The places where points may end, and the nearest of them for each cell of a grid. */
export interface Basins {
  readonly ends: readonly Point[];
  /** The picture's box. */
  readonly domain: Box;
  /** The box of the cells: the picture with a margin, beyond which a point counts as gone. */
  readonly reach: Box;
  readonly cells: number;
  /** The index of the nearest end, cell after cell. */
  readonly nearest: Uint32Array<ArrayBuffer>;
  /** The distance from an end within which a point counts as arrived. */
  readonly arrived: number;
}

/** A landscape with the places where points may end. */
export interface Ground {
  readonly landscape: Landscape;
  readonly basins: Basins;
}

const basinCells = 256;

export function basinsOf(landscape: Landscape): Basins {
  const ends = endsOf(landscape);
  const [[left, right], [low, high]] = landscape.domain;
  const [across, up] = [0.25 * (right - left), 0.25 * (high - low)];
  const reach: Box = [
    [left - across, right + across],
    [low - up, high + up],
  ];
  const nearest = new Uint32Array(basinCells ** 2);
  for (let k = 0; k < nearest.length; k++) {
    const x = reach[0][0] + ((reach[0][1] - reach[0][0]) * ((k % basinCells) + 0.5)) / basinCells;
    const y = reach[1][0] + ((reach[1][1] - reach[1][0]) * (Math.floor(k / basinCells) + 0.5)) / basinCells;
    let least = Number.POSITIVE_INFINITY;
    for (const [i, end] of ends.entries()) {
      const far = (end[0] - x) ** 2 + (end[1] - y) ** 2;
      if (far < least) {
        least = far;
        nearest[k] = i;
      }
    }
  }
  return {
    ends,
    domain: landscape.domain,
    reach,
    cells: basinCells,
    nearest,
    arrived: 0.02 * widthOf(landscape.domain),
  };
}

/** The end to which a place belongs; undefined for a point that is gone. */
export function endAt({ reach, cells, nearest, ends }: Basins, x: number, y: number): number | undefined {
  const [[left, right], [low, high]] = reach;
  const [across, up] = [(x - left) / (right - left), (y - low) / (high - low)];
  if (!(across >= 0 && across < 1 && up >= 0 && up < 1) || ends.length === 0) return undefined;
  return nearest[Math.floor(up * cells) * cells + Math.floor(across * cells)]!;
}

export const isArrived = ({ ends, arrived }: Basins, end: number, x: number, y: number) =>
  Math.hypot(x - ends[end]![0], y - ends[end]![1]) < arrived;

/** How a cloud ended. */
export interface Shares {
  /** For each end, the share of all points that arrived there. */
  readonly arrived: readonly number[];
  readonly onTheWay: number;
  readonly gone: number;
}

export function sharesOf(basins: Basins, points: ArrayLike<number>): Shares {
  const arrived = basins.ends.map(() => 0);
  let [onTheWay, gone] = [0, 0];
  for (let k = 0; k < points.length; k += 2) {
    const [x, y] = [points[k]!, points[k + 1]!];
    const end = endAt(basins, x, y);
    if (end === undefined) gone++;
    else if (isArrived(basins, end, x, y)) arrived[end]!++;
    else onTheWay++;
  }
  const count = points.length / 2;
  return { arrived: arrived.map((each) => each / count), onTheWay: onTheWay / count, gone: gone / count };
}

/**
 * The number of steps for the next frame: as many as fit into the budget, given the time that the last frame took, but at most
 * twice as many as then and at most `most`.
 */
export function stepsOfFrame(last: number, tookMs: number, budgetMs: number, most: number): number {
  const wanted = tookMs > 0 ? (last * budgetMs) / tookMs : 2 * last;
  return Math.max(1, Math.min(most, Math.floor(wanted), 2 * last));
}
