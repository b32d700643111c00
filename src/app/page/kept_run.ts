// The page's last run, kept in the browser's IndexedDB as it trains: one record, replaced as a whole or not at all, from which
// a reopened page continues.

export interface KeptRun {
  /** The values of the fields. */
  readonly state: Readonly<Record<string, unknown>>;
  /** The model and the rule: "784-32-10, adamw". */
  readonly title: string;
  /** The table that it trains on; null for other data. */
  readonly table: { readonly name: string; readonly text: string } | null;
  /** Steps made so far, of `steps`. */
  readonly step: number;
  readonly steps: number;
  /** A run checkpoint, as `resume` of `train` takes it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const [database, store, key] = ["fallline", "runs", "last"];

/** Keeps this run in place of the one before. Rejects if the browser has no room or no storage. */
export async function keepRun(run: KeptRun): Promise<void> {
  await request("readwrite", (runs) => runs.put(run, key));
}

/** The kept run; null if there is none. */
export async function keptRun(): Promise<KeptRun | null> {
  return (await request<KeptRun | undefined>("readonly", (runs) => runs.get(key))) ?? null;
}

export async function forgetRun(): Promise<void> {
  await request("readwrite", (runs) => runs.delete(key));
}

/** Does work that keeps its run, unless another tab's work does already: all tabs share one record. */
export async function asOnlyKeeper(work: (keeps: boolean) => Promise<void>): Promise<void> {
  // Only pages from https or localhost have locks.
  if (!navigator.locks) return work(true);
  await navigator.locks.request("fallline-run", { ifAvailable: true }, (lock) => work(lock !== null));
}

async function request<T>(mode: IDBTransactionMode, ask: (runs: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opened = await openDatabase();
  try {
    return await new Promise<T>((resolve, reject) => {
      // Flushed to disk before it counts as done.
      const transaction = opened.transaction(store, mode, { durability: "strict" });
      const asked = ask(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error ?? asked.error);
    });
  } finally {
    opened.close();
  }
}

function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(database, 2);
    asked.onupgradeneeded = () => {
      // An earlier version kept its run in another format.
      if (asked.result.objectStoreNames.contains(store)) asked.result.deleteObjectStore(store);
      asked.result.createObjectStore(store);
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}
