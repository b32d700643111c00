// Arrow keys as directions, for points that are moved by pointer or keyboard.
const directions: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** The direction of a key, to the right and up; undefined for keys that are not arrows. */
export function arrowOf(event: KeyboardEvent): readonly [right: number, up: number] | undefined {
  return directions[event.key];
}
