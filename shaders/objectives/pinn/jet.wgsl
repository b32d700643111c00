// A solution at a point with its derivatives by one input or two, or the derivatives of something by each of these.
struct Jet {
  u: f32,
  d: vec2f,
  dd: vec2f,
}
