// The page's worker: runs tasks of views on the CPU reference, so that the page stays responsive.
import { type Channel, serveTasks } from "./task.ts";
import { rangeTask, sweepTask } from "./views/find_tasks.ts";
import { labTask } from "./views/stability_task.ts";
import { trainTask } from "./views/train_task.ts";

serveTasks(globalThis as unknown as Channel, [trainTask, rangeTask, sweepTask, labTask]); // only a worker runs this file
