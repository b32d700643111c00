// Opens the page's worker.
import cpuWorkerUrl from "./cpu_worker.ts?worker&url";

export const cpuWorkerScript: string = cpuWorkerUrl;

export const openCpuWorker = () => new Worker(cpuWorkerScript, { type: "module", name: "CPU reference" });
