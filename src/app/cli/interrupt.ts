// Interrupts of a long command (Ctrl-C, SIGTERM, a terminal that hangs up): the first asks it to stop with the results so far, the
// second ends it.

/**
 * Runs `work` with a signal that the first interrupt aborts; `message` says what happens then. `work` also writes everything that
 * must be kept.
 */
export async function interruptible<T>(message: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
    process.stderr.write(`\n${message}; interrupt again to quit at once\n`);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    return await work(stop.signal);
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}
