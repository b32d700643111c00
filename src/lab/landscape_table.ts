// The page of landscapes (docs/landscapes.md, which `npm run docs` writes) and its picture: formula, minimum and source of
// each, and its options with what they may be and their defaults, all from the registry.
import type { LandscapeConfig, LandscapeDefinition } from "../objectives/landscapes/define.ts";
import { createLandscape, landscapeDefinitions } from "../objectives/landscapes/index.ts";
import { contour, heightsOf, levelsOf } from "./contour.ts";

/** How the examples import: written so that it is no import of this file. */
const library = `from ${JSON.stringify("fallline")}`;
const training = `from ${JSON.stringify("fallline/train")}`;

export function landscapeTableMarkdown(): string {
  return `# Landscapes

\`npm run docs\` writes this page from the registry; \`test/unit/landscapes_doc.test.ts\` holds it to that.

A landscape is a function with known gradient, Hessian and minimum, on which it shows what an optimizer does: a canyon, a
curved valley, rugged ground, a saddle, a loss that turns gradient descent into chaos. Its config is plain JSON,
\`{ "type": "rosenbrock", "dimension": 1000 }\`; the library has a function of each type's name that makes it,
\`rosenbrock({ dimension: 1000 })\`. Unknown types and options are errors, and a config may say \`"version": 1\`.

![Lines of equal height of every landscape in two dimensions; dots are minima, triangles customary starts.](landscapes.svg)

| type | f(x) | least | source |
|---|---|---|---|
${landscapeDefinitions.map(({ type, formula, least, source }) => `| \`${type}\` | ${formula} | ${least} | ${source} |`).join("\n")}

n is the dimension, a million if you like; what has no option \`dimension\` and names no other n has two.

## Options

The number behind a name is its default; \`spectrum\` has none and takes the place of the options behind it up to \`scale\`.

${landscapeDefinitions.map(optionsLine).join("\n")}

\`quadratic\` with \`condition\` c has curvatures from \`scale\` / c to \`scale\`, so gradient descent is stable for rates below
2 / \`scale\` and needs on the order of c steps. Its axes are the coordinates', which rules that scale each coordinate on its
own (Adam and its kind) see through; \`angle\` turns them away from that. \`saddle\` is bounded unless \`bound\` is 0, so that a
run which has left it comes to rest.

## Looking at one

\`\`\`js
import { landscapes } ${training};
const landscape = landscapes.create(landscapes.himmelblau());
console.log(landscape.value([0, 0]), [...landscape.gradient([0, 0])]); // → 170 [ -14, -22 ]
console.log(landscape.minima().length, landscape.minimum); // → 4 0
\`\`\`

\`hessian(x)\` is an array of rows, \`curvature(x, i, j)\` one entry of it, \`start()\` a customary starting point and
\`domain\` the box that pictures show. All of this is float64 on the CPU.

## Descending

Points on a landscape are a tensor of an ordinary optimizer, so every rule, schedule and option works on them. They are rows
of \`points\`, each going its own way: its gradient is its own (that of the sum of their losses), while the loss that a step
reports is their mean. Norms, clipping and rules that sum take all points together.

\`\`\`js
import { createCpuOptimizer, sgd } ${library};
import { createCpuObjective, initialTensors, landscapes } ${training};
const landscape = landscapes.create(landscapes.logisticMap());
for (const lr of [1.5, 2.3, 2.5]) {
  const optimizer = createCpuOptimizer(initialTensors(landscape, [0.5]), sgd({ lr }));
  const objective = createCpuObjective(optimizer, landscape);
  const last = [];
  for (let step = 0; step < 500; step++) {
    await objective.step(); // { loss, step, … }
    last.push((await optimizer.read()).points[0].toFixed(4));
  }
  console.log(\`lr \${lr}: a cycle of \${new Set(last.slice(-64)).size}\`);
}
// → lr 1.5: a cycle of 1
// → lr 2.3: a cycle of 2
// → lr 2.5: a cycle of 4
\`\`\`

On the GPU it is \`createOptimizer(device, …)\` and \`await createObjective(optimizer, landscape)\`; \`encode(pass)\` encodes a
gradient among commands of your own. That takes two dispatches however many points, coordinates and replicas there are: a
million points in the plane, or one point of two million coordinates, are the same work. \`landscape.values(points)\` has the
loss of every point.

Gradient descent on \`logisticMap\` is the logistic map y ← r·y·(1 - y) with r = 1 + lr and y = x·lr / (1 + lr): at rest
below a rate of 2, in cycles of 2, 4, 8 … above, chaotic from about 2.57 on, gone above 3.
`;
}

function optionsLine({ type, options }: LandscapeDefinition): string {
  const texts = options.map(({ name, allowed, default: standard }) => {
    const value = standard === undefined ? "" : ` ${JSON.stringify(standard)}`;
    return `\`${name}\`${value} (${allowed
      .replace("a finite number", "a number")
      .replace("a whole", "whole")
      .replace(`${2 ** 24}`, "2^24")})`;
  });
  return `- \`${type}\`: ${texts.join(", ") || "none"}`;
}

/** What of each type is drawn: two dimensions, with options that show what they do. */
const drawn: readonly LandscapeConfig[] = landscapeDefinitions.map(({ type, options }) => ({
  type,
  ...(options.some(({ name }) => name === "dimension") ? { dimension: 2 } : {}),
  ...(type === "quadratic" ? { condition: 20, angle: 0.5 } : {}),
}));

const panel = { width: 200, height: 200, left: 34, top: 34, across: 240, down: 252 };
const columns = 4;

/** Lines of equal height of every landscape, as an ECharts description. */
export function landscapesChart() {
  const panels = drawn.map((config, index) => {
    const { type, value, domain, minima, start } = createLandscape(config);
    const heights = heightsOf((x, y) => value([x, y]), domain, 50);
    const levels = levelsOf(heights, 8);
    const [left, top] = [
      panel.left + panel.across * (index % columns),
      panel.top + panel.down * Math.floor(index / columns),
    ];
    const own = { xAxisIndex: index, yAxisIndex: index, type: "line" as const };
    const axis = ([min, max]: readonly [number, number]) => ({
      gridIndex: index,
      type: "value" as const,
      min,
      max,
      splitLine: { show: false },
      axisLine: { show: true, onZero: false },
      axisLabel: { fontSize: 10, showMinLabel: false, showMaxLabel: false },
    });
    const dots = (points: readonly Float64Array[], symbol: string, color: string) => ({
      ...own,
      data: points.map((point) => [...point]),
      symbol,
      symbolSize: 8,
      color,
      lineStyle: { width: 0 },
      z: 4,
    });
    return {
      title: {
        text: type,
        left: left + panel.width / 2,
        top: top - 26,
        textAlign: "center" as const,
        textStyle: { fontSize: 13 },
      },
      grid: { left, top, width: panel.width, height: panel.height },
      xAxis: axis(domain[0]),
      yAxis: axis(domain[1]),
      series: [
        ...levels.map((level, k) => ({
          ...own,
          data: contour(heights, level).flatMap((line) => [...line.map(([x, y]) => [x, y]), ["-", "-"]]),
          showSymbol: false,
          // From blue in the depths to red.
          color: `hsl(${Math.round(220 - (220 * k) / (levels.length - 1))}, 65%, 50%)`,
          lineStyle: { width: 1 },
        })),
        dots(minima(), "circle", "#000000"),
        dots([start()], "triangle", "#15803d"),
      ],
    };
  });
  return {
    width: panel.left + panel.across * columns,
    height: panel.top + panel.down * Math.ceil(drawn.length / columns) - 14,
    title: panels.map(({ title }) => title),
    grid: panels.map(({ grid }) => grid),
    xAxis: panels.map(({ xAxis }) => xAxis),
    yAxis: panels.map(({ yAxis }) => yAxis),
    series: panels.flatMap(({ series }) => series),
  };
}
