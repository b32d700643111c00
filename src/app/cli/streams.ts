// stdout and stderr, which may end before the command does: the reader goes away, a terminal hangs up, a disk is full. The work
// goes on, since its files matter more, and the exit status is not 0.

const broken = new Map<NodeJS.WriteStream, Error>();

/** From now on a stream that cannot be written to does not end the process. */
export function watchStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      if (!broken.has(stream)) broken.set(stream, error);
    });
  }
}

/** Waits until everything that can be written is; sets the exit status to 1 if anything could not be. */
export async function flushStreams(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (!broken.has(stream)) await new Promise<void>((resolve) => stream.write("", () => resolve()));
    // Errors arrive one turn of the event loop after the write.
    await new Promise(setImmediate);
    const error = broken.get(stream);
    if (!error) continue;
    process.exitCode = process.exitCode || 1;
    if (stream === process.stdout)
      console.error(`fallline: not all output could be written to stdout: ${error.message}`);
  }
}

/** Whether stderr is a terminal that can be drawn on; otherwise it gets plain lines. */
export function canDraw(): boolean {
  return process.stderr.isTTY === true && process.env.TERM !== "dumb" && !process.env.NO_COLOR;
}
