// Unknown words on the command line: other spellings of options are accepted, the rest is answered with a suggestion.
import type { Command, CommanderError } from "commander";
import { folded } from "../../base/names.ts";
import { didYouMean, meantOption, nearest } from "../../base/words.ts";
import { modifiers } from "../../modifiers/index.ts";
import { rules } from "../../rules/index.ts";
import { runFields } from "../../train/run_config.ts";

/** Words that may be an option; no command has longer ones. */
const optionPattern = /^--([a-z][\w-]{0,39})(=.*)?$/is;

/** Options of other programs that no command has, by folded word. */
const elsewhere: Readonly<Record<string, string>> = {
  epochs: "did you mean --steps? An epoch is the number of training rows divided by --batch",
  epoch: "did you mean --steps? An epoch is the number of training rows divided by --batch",
};

/** Arguments with every option in its command's spelling: `--Learning_Rate=1` as `--lr=1`. */
export function spelt(args: readonly string[], program: Command): readonly string[] {
  const known = optionsOf(commandOf(args, program));
  const end = args.indexOf("--");
  return args.map((word, at) => {
    const [, name, value = ""] = (end < 0 || at < end ? optionPattern.exec(word) : null) ?? [];
    if (name === undefined || known.includes(name) || Object.hasOwn(elsewhere, folded(name))) return word;
    const option = meantOption(name, known);
    return option === undefined ? word : `--${option}${value}`;
  });
}

/** What is wrong with a command line, in a sentence. */
export function usageError({ code, message }: CommanderError, command: Command): string {
  const text = message.replace(/^error: /, "");
  const [, word] = /'([^']*)'/.exec(text) ?? [];
  if (word === undefined) return text;
  if (code === "commander.unknownCommand") {
    return `${text}${didYouMean(
      word,
      command.commands.map((each) => each.name()),
    )}`;
  }
  if (code !== "commander.unknownOption") return text;
  const [, name] = optionPattern.exec(word) ?? [];
  return name === undefined ? text : `${text}${answer(name, command)}`;
}

function answer(name: string, command: Command): string {
  const said = Object.hasOwn(elsewhere, folded(name)) ? elsewhere[folded(name)] : undefined;
  if (said !== undefined) return ` (${said})`;
  const inConfig = configWords().find((each) => folded(each) === folded(name));
  if (inConfig !== undefined) {
    const vary =
      command.name() === "sweep" && isHyper(inConfig) ? `, or try several values with --vary ${inConfig}=…` : "";
    return `; set ${inConfig} in a run config, such as fallline train --print-config writes${vary}`;
  }
  const near = nearest(name, optionsOf(command));
  return near === undefined ? "; --help lists the options" : ` (did you mean --${near}?)`;
}

const isHyper = (name: string) => rules.some(({ hypers }) => name in hypers);

/** Settings of a run config that the command line has no option for. */
function configWords(): readonly string[] {
  return [
    ...rules.flatMap(({ hypers, flags }) => [...Object.keys(hypers), ...Object.keys(flags)]),
    ...modifiers.map(({ key }) => key),
    ...runFields,
    ...["activation", "loss", "l2", "dropout", "layers", "groups", "schedule"],
  ];
}

/** Names without the dashes. */
function optionsOf(command: Command): readonly string[] {
  return [...command.options.flatMap(({ long }) => (long ? [long.slice(2)] : [])), "help"];
}

/** The command that the arguments start with. */
function commandOf(args: readonly string[], program: Command): Command {
  const next = program.commands.find((command) => command.name() === args[0]);
  return next ? commandOf(args.slice(1), next) : program;
}
