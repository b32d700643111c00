// The registry of the page's views, in the order of the list; each is loaded when it is opened.
import type { ViewEntry } from "../view.ts";

export const views: readonly ViewEntry[] = [
  { name: "race", title: "Race", load: () => import("./race.ts") },
  { name: "landscape", title: "Landscape", load: () => import("./landscape.ts") },
  { name: "cascade", title: "Cascade", load: () => import("./cascade.ts") },
  { name: "schedules", title: "Schedules", load: () => import("./schedules.ts") },
  { name: "find", title: "Find a rate", load: () => import("./find.ts") },
  { name: "train", title: "Train", load: () => import("./train.ts") },
  { name: "stability", title: "Stability", load: () => import("./stability.ts") },
];
