// A cloud of points in the colours of their ends: each point where it is now, over a ground that shows at each start the colour
// of its point. Full colours have arrived, paler ones are on the way, and points that are gone have a colour of their own.
struct Cloud {
  // lower and upper ends of x, then of y: of the picture, and of the cells that hold the nearest end
  box: vec4f,
  reach: vec4f,
  columns: u32,
  rows: u32,
  count: u32,
  cells: u32,
  // the distance from an end within which a point has arrived
  arrived: f32,
  // elements before the first point
  first: u32,
  // the last is the colour of points that are gone
  colors: array<vec4f, 9>,
}

struct End {
  place: vec2f,
  color: u32,
}

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<storage, read> cloud: Cloud;
@group(0) @binding(2) var<storage, read> nearest: array<u32>;
@group(0) @binding(3) var<storage, read> ends: array<End>;

fn place(i: u32) -> vec2f {
  return vec2f(points[cloud.first + 2u * i], points[cloud.first + 2u * i + 1u]);
}

// the colour of a point at this place, and how certain it is
fn look(at: vec2f) -> vec4f {
  let share = (at - cloud.reach.xz) / (cloud.reach.yw - cloud.reach.xz);
  // Not finite, by its bits: a comparison may miss it.
  let lost = (bitcast<vec2u>(share) & vec2u(0x7f800000u)) == vec2u(0x7f800000u);
  if (any(lost) || any(share < vec2f()) || any(share >= vec2f(1.0))) {
    return vec4f(cloud.colors[8].rgb, 0.5);
  }
  let cell = min(vec2u(share * f32(cloud.cells)), vec2u(cloud.cells - 1u));
  let end = ends[nearest[cell.y * cloud.cells + cell.x]];
  return vec4f(cloud.colors[end.color].rgb, select(0.45, 1.0, distance(at, end.place) < cloud.arrived));
}

struct Corner {
  @builtin(position) position: vec4f,
  @location(0) share: vec2f,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
  let share = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
  return Corner(vec4f(2.0 * share - 1.0, 0.0, 1.0), share);
}

@fragment
fn ground(at: Corner) -> @location(0) vec4f {
  let cell = min(vec2u(at.share * vec2f(f32(cloud.columns), f32(cloud.rows))), vec2u(cloud.columns - 1u, cloud.rows - 1u));
  let i = cell.y * cloud.columns + cell.x;
  if (i >= cloud.count) {
    return vec4f();
  }
  let found = look(place(i));
  let alpha = 0.6 * found.a;
  return vec4f(found.rgb * alpha, alpha);
}

struct Dot {
  @builtin(position) position: vec4f,
  @location(0) color: vec3f,
}

@vertex
fn dot_at(@builtin(vertex_index) i: u32) -> Dot {
  let at = place(i);
  let share = (at - cloud.box.xz) / (cloud.box.yw - cloud.box.xz);
  return Dot(vec4f(2.0 * share - 1.0, 0.0, 1.0), look(at).rgb);
}

@fragment
fn dot_color(dot: Dot) -> @location(0) vec4f {
  return vec4f(dot.color, 1.0);
}
