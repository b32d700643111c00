// Turns of the event loop during long computations in JavaScript, so that a page paints, a server answers, files are read and
// signals are handled.

/** Milliseconds of work from one turn to the next: few enough to stay below what people notice, enough to cost nothing. */
const longest = 10;

let last = Number.NEGATIVE_INFINITY;

/** Yields to the event loop if the last turn was more than 10 ms ago. */
export async function breathe(): Promise<void> {
  if (performance.now() - last < longest) return;
  await nextTurn();
  last = performance.now();
}

const { setImmediate: immediate } = globalThis as { readonly setImmediate?: (callback: () => void) => unknown };

/**
 * A turn of the event loop. Not by `setTimeout`: a chain of timers never leaves the timer phase of Node's loop if the work takes
 * longer than a millisecond, and background pages get one a second.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (immediate) {
      immediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
