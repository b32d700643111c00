// Contour lines of a landscape over a box: one triangle covers the picture, and each pixel's height becomes a fractional level
// (there are at least two), with a line wherever it is whole. Setting and the landscape's `term` are in snippets before and
// after.
struct Contours {
  // lower and upper ends of x, then of y
  box: vec4f,
  ink: vec4f,
  // how strongly the ground darkens from the lowest level to the highest
  shade: f32,
  levels: array<f32>,
}

@group(0) @binding(0) var<storage, read> setting: Setting;
@group(0) @binding(1) var<storage, read> contours: Contours;

// the point in hand
var<private> place: vec2f;

fn x(i: u32) -> f32 {
  return select(place.y, place.x, i == 0u);
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

// a height as a fractional level; half a level beyond the first and the last it no longer changes
fn rank(height: f32) -> f32 {
  let last = arrayLength(&contours.levels) - 1u;
  var upper = 1u;
  while (upper < last && contours.levels[upper] < height) {
    upper++;
  }
  let low = contours.levels[upper - 1u];
  let share = (height - low) / max(contours.levels[upper] - low, 1e-30);
  return clamp(f32(upper - 1u) + share, -0.5, f32(last) + 0.5);
}

@fragment
fn line(at: Corner) -> @location(0) vec4f {
  place = mix(contours.box.xz, contours.box.yw, at.share);
  let level = rank(term(0u) + term(1u));
  // pixels from the nearest line
  let apart = abs(fract(level + 0.5) - 0.5) / max(fwidth(level), 1e-6);
  let drawn = 0.55 * clamp(1.3 - apart, 0.0, 1.0);
  let alpha = max(drawn, contours.shade * max(level, 0.0) / f32(arrayLength(&contours.levels)));
  return vec4f(contours.ink.rgb * alpha, alpha);
}
