// Matching names against globs, and against regular expressions as JavaScript does.
import { OptionError, show } from "./errors.ts";

/** Whether a glob (`*` any characters, `?` one) matches a whole name. */
export function globMatches(glob: string, name: string): boolean {
  let [at, star, resume] = [0, -1, 0];
  for (let i = 0; i < name.length; ) {
    if (glob[at] === "*") {
      // A later star takes over: the match of the earlier one need not be retried.
      star = at++;
      resume = i;
    } else if (at < glob.length && (glob[at] === "?" || glob[at] === name[i])) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else return false;
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}

/** A regular expression as JSON holds it. */
export interface RegexPattern {
  readonly regex: string;
  readonly flags?: string;
  /** Used instead of JavaScript's own matcher; set in configs read from JSON. */
  readonly matches?: (name: string) => boolean;
}

/** Whether a regular expression is found anywhere in a name; the flags g and y have no effect. */
export function regexTest(owner: string, { regex, flags = "", matches }: RegexPattern): (name: string) => boolean {
  if (matches) return matches;
  const expression = new RegExp(nativeRegex(owner, regex, flags), flags.replace(/[gy]/g, ""));
  return (name) => expression.test(name);
}

/** @throws OptionError, whose message starts with `owner`, for an invalid regular expression. */
export function nativeRegex(owner: string, regex: string, flags: string): RegExp {
  try {
    return new RegExp(regex, flags);
  } catch (error) {
    throw new OptionError(
      `${describeRegex(owner, regex, flags)}, which is not a regular expression: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** The start of a sentence about a regular expression. */
export function describeRegex(owner: string, regex: string, flags: string): string {
  return `${owner} holds ${show(flags ? { regex, flags } : { regex })}`;
}
