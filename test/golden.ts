// Reading the golden files.
import { readFileSync } from "node:fs";

export function goldenText(file: string): string {
  return readFileSync(new URL(`./golden/${file}`, import.meta.url), "utf8");
}

export function golden<T>(file: string): T {
  return JSON.parse(goldenText(file)) as T;
}
