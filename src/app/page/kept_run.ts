// The page's last run, kept in the browser's IndexedDB as it trains: one record, replaced whole or not at all, from which a page
// that is opened again goes on.

export interface KeptRun {
  /** What the fields said. */
  readonly state: Readonly<Record<string, unknown>>;
  /** What is trained, and by which rule: "784-32-10, adamw". */
  readonly title: string;
  /** The table that it learns from; null where it takes none. */
  readonly table: { readonly name: string; readonly text: string } | null;
  /** Steps made, of how many. */
  readonly step: number;
  readonly steps: number;
  /** A run checkpoint, as `resume` of `train` takes it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const [database, store, key] = ["fallline", "runs", "last"];

/** Keeps this run in place of the one before. Rejects where the browser has no room or keeps nothing. */
export async function keepRun(run: KeptRun): Promise<void> {
  await request("readwrite", (runs) => runs.put(run, key));
}

/** The run that is kept; null where there is none. */
export async function keptRun(): Promise<KeptRun | null> {
  return (await request<KeptRun | undefined>("readonly", (runs) => runs.get(key))) ?? null;
}

export async function forgetRun(): Promise<void> {
  await request("readwrite", (runs) => runs.delete(key));
}

/** Does work that keeps its run, unless another tab's does already: there is one record for all of them. */
export async function asOnlyKeeper(work: (keeps: boolean) => Promise<void>): Promise<void> {
  // Only pages from https or localhost have locks.
  if (!navigator.locks) return work(true);
  await navigator.locks.request("fallline-run", { ifAvailable: true }, (lock) => work(lock !== null));
}

async function request<T>(mode: IDBTransactionMode, ask: (runs: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opened = await openDatabase();
  try {
    return await new Promise<T>((resolve, reject) => {
      // On the disk before it counts as done.
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
      // What an earlier version kept says another thing.
      if (asked.result.objectStoreNames.contains(store)) asked.result.deleteObjectStore(store);
      asked.result.createObjectStore(store);
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}
