// Output of commands in documents: a block of commands that start with "npx fallline" is followed by a block of their output.
// Progress goes to stderr and is not shown, but the score that predict prints there is.

/**
 * A document with every such block as the commands print it now; a block that differs only in seconds is kept.
 *
 * @param {string} markdown
 * @param {(args: readonly string[]) => Promise<{ stdout: string, stderr: string }>} run What `fallline ARGS` prints.
 * @returns {Promise<string>}
 */
export async function printed(markdown, run) {
  let text = markdown;
  for (const [block, commands = "", shown = ""] of markdown.matchAll(
    /```sh\n((?:npx fallline [^\n]*\n)+)```\n\n```text\n([\s\S]*?)```/g,
  )) {
    let found = "";
    for (const command of commands.trimEnd().split("\n")) {
      const args = command.replace(/ +#.*/, "").split(" ").slice(2);
      const { stdout, stderr } = await run(args);
      found += args[0] === "predict" ? stdout + stderr : stdout;
    }
    if (withoutSeconds(found) === withoutSeconds(shown)) continue;
    text = text.replace(
      block,
      () => `\`\`\`sh
${commands}\`\`\`

\`\`\`text
${found}\`\`\``,
    );
  }
  return text;
}

/** @param {string} text */
const withoutSeconds = (text) => text.replace(/^[\d.]+ s(?=;|$)/gm, "");
