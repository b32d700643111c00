// Every example of the documents as a file that a compiler reads, for the tests of types.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the lines that show one call of an API have around them. */
const around = `import { type GpuOptimizer, loadTorch } from "fallline";
import { bench } from "fallline/bench";
declare const device: GPUDevice;
declare const optimizer: GpuOptimizer;
`;

export interface Example {
  readonly name: string;
  readonly code: string;
}

/**
 * The examples of README.md and docs/. One whose functions have their types in comments is JavaScript, others are TypeScript. The
 * lines in docs/how_to.md that show a call beside another library's are left out: {@link excerpts} of programs that are compiled.
 */
export function documentExamples(root: string): readonly Example[] {
  const documents = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)];
  return documents
    .filter((name) => name.endsWith(".md"))
    .flatMap((document) => {
      const text = readFileSync(join(root, document), "utf8");
      return [...text.matchAll(/^```(js|ts)\n([\s\S]*?)^```$/gm)].flatMap(([, language, code = ""], i): Example[] => {
        const isPart = language === "ts";
        if (isPart && document === "docs/how_to.md") return [];
        const name = `${document.replace(/\W/g, "_")}_${i}.${code.includes("@param {") ? "js" : "ts"}`;
        // What the lines import themselves is not imported twice.
        const setting = isPart ? around.replace(code.includes("fallline/bench") ? /^.*bench";\n/m : "", "") : "";
        return [{ name, code: `${setting}${code}export {};\n` }];
      });
    });
}

/** The lines of docs/how_to.md that are parts of programs in examples/. */
export function excerpts(root: string): readonly string[] {
  const text = readFileSync(join(root, "docs/how_to.md"), "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].flatMap(([, code = ""]) =>
    code.split("\n").filter((line) => line !== ""),
  );
}

/** The programs of examples/, by path. */
export function programs(root: string): ReadonlyMap<string, string> {
  const paths = ["examples", "examples/peers"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".js"))
      .map((name) => join(folder, name)),
  );
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
}

/** What a page of examples/ promises to say. */
export function promisedBy(text: string): string {
  const line = /\/\/ → (.*)/.exec(text)?.[1];
  if (!line) throw new Error("an example promises nothing");
  return line;
}
