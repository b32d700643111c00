// Runs before each file of the ring: what a file was served goes away with it.
import { afterAll } from "vitest";
import { endFile } from "./chrome.ts";

afterAll(endFile);
