// Ctrl-C, a request to end and a terminal that hangs up during a long command: the first asks it to stop with what there is,
// the second ends it.

/**
 * Runs `work` with a signal that the first interrupt aborts; `message` says what happens then. What is to be kept whatever
 * happens is written in `work` too.
 */
export async function interruptible<T>(message: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
    process.stderr.write(`\n${message}; again to quit at once\n`);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    return await work(stop.signal);
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}
