// The page of landscapes (docs/landscapes.md, which `npm run docs` writes) and its picture: formula, minimum and source of
// each, and its options with their allowed values and defaults, all from the registry.
import type { LandscapeConfig, LandscapeDefinition } from "../objectives/landscapes/define.ts";
import { createLandscape, landscapeDefinitions } from "../objectives/landscapes/index.ts";
import { contour, heightsOf, levelsOf } from "./contour.ts";

/** How the examples import: written so that this file does not import it. */
const library = `from ${JSON.stringify("fallline")}`;
const training = `from ${JSON.stringify("fallline/train")}`;

export function landscapeTableMarkdown(): string {
  return `# Landscapes

A landscape is a function with a known gradient, Hessian and minimum that shows how an optimizer moves: a canyon, a curved valley,
rugged terrain, a saddle, a loss on which gradient descent turns chaotic.

\`\`\`js
import { landscapes } ${training};
const landscape = landscapes.create(landscapes.himmelblau());
console.log(landscape.value([0, 0]), [...landscape.gradient([0, 0])]); // → 170 [ -14, -22 ]
console.log(landscape.minima().length, landscape.minimum); // → 4 0
\`\`\`

\`landscapes.*\` makes a config, in JSON \`{ "type": "rosenbrock", "dimension": 1000 }\`, and \`landscapes.create\` the landscape itself:
\`value(x)\`, \`gradient(x)\`, \`hessian(x)\` as an array of rows, \`curvature(x, i, j)\` as one entry of it, \`minima()\`, a customary
\`start()\`, and \`domain\`, the box that pictures show. All of it is float64 on the CPU.

![Contour lines of every landscape in two dimensions; dots are minima, triangles customary starts.](landscapes.svg)

## Types

| type | f(x) | minimum | source |
|---|---|---|---|
${landscapeDefinitions.map(({ type, formula, least, source }) => `| \`${type}\` | ${formula} | ${least} | ${source} |`).join("\n")}

n is the number of dimensions, up to millions. A landscape without the option \`dimension\` has two, unless its formula says otherwise.

## Options

The value after a name is its default. \`spectrum\` has none; it replaces \`dimension\`, \`condition\`, \`spacing\` and \`scale\`.

${landscapeDefinitions.map(optionsLine).join("\n")}

Unknown types and options are errors, and a config may contain \`"version": 1\`.

\`quadratic\` with \`condition\` c has curvatures from \`scale\` / c to \`scale\`, so gradient descent is stable for rates below
2 / \`scale\` and needs on the order of c steps. Its axes are those of the coordinates, which favours rules that scale each coordinate
separately, as Adam does; \`angle\` rotates them away. \`saddle\` has a minimum unless \`bound\` is 0, so a run that leaves the saddle
comes to rest.

## Descent

\`train({ landscape: landscapes.rosenbrock(), optimizer, steps })\` descends a landscape, from \`init: [x, y]\` or its customary start.
Points are an ordinary tensor, so every rule, schedule and modifier works on them. To write the loop yourself, create an objective:

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

Gradient descent on \`logisticMap\` is the logistic map y ← r·y·(1 - y) with r = 1 + lr and y = x·lr / (1 + lr). It settles for rates
below 2, cycles through 2, 4, 8 … values above that, turns chaotic from about 2.57 and diverges above 3.

Each row of \`points\` is a separate point: its gradient is that of its own loss, and a step reports the mean loss. Norms, clipping
and rules that sum over a tensor take all points together.

On the GPU, use \`createOptimizer(device, …)\` and \`await createObjective(optimizer, landscape)\`. A gradient takes two dispatches
however many points, coordinates and replicas there are, so a million points in the plane cost what one point of two million
coordinates does. \`encode(pass)\` puts the gradient among your own commands, and \`landscape.values(points)\` returns the loss of
every point.

This page is generated: \`npm run docs\` writes it from the registry, and a test compares the two.
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

/** What is drawn for each type: two dimensions, with options that show their effect. */
const drawn: readonly LandscapeConfig[] = landscapeDefinitions.map(({ type, options }) => ({
  type,
  ...(options.some(({ name }) => name === "dimension") ? { dimension: 2 } : {}),
  ...(type === "quadratic" ? { condition: 20, angle: 0.5 } : {}),
}));

const panel = { width: 200, height: 200, left: 34, top: 34, across: 240, down: 252 };
const columns = 4;

/** Contour lines of every landscape, as an ECharts description. */
export function landscapesChart() {
  const panels = drawn.map((config, index) => {
    const { type, value, domain, minima, start } = createLandscape(config);
    const heights = heightsOf((x, y) => value([x, y]), domain, 50);
    const levels = levelsOf(heights, 8);
    const [left, top] = [
      panel.left + panel.across * (index % columns),
      panel.top + panel.down * Math.floor(index / columns),
    ];
    const axes = { xAxisIndex: index, yAxisIndex: index, type: "line" as const };
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
      ...axes,
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
          ...axes,
          data: contour(heights, level).flatMap((line) => [...line.map(([x, y]) => [x, y]), ["-", "-"]]),
          showSymbol: false,
          // From blue in the valleys to red.
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
