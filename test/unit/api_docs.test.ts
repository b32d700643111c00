// The public face is documented: every export of every entry has a docstring, and so has every member of an exported type.
import { join, relative, resolve } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const entries = ["src/index.ts", "src/training.ts", "src/node.ts", "src/tfjs.ts", "bench/index.ts"].map((path) =>
  join(root, path),
);

const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, incremental: false }, root);
const program = ts.createProgram(entries, options);
const checker = program.getTypeChecker();

const isDocumented = (symbol: ts.Symbol) => symbol.getDocumentationComment(checker).length > 0;

/** Whether a symbol is declared in this repository: what comes from TypeScript's own library is documented there. */
const isOurs = (symbol: ts.Symbol) =>
  symbol.declarations?.some((node) => {
    const path = relative(root, node.getSourceFile().fileName);
    return !path.startsWith("..") && !path.startsWith("node_modules");
  }) ?? false;

/** The members that a type or class declares itself. */
function membersOf(symbol: ts.Symbol): readonly ts.Symbol[] {
  return (symbol.declarations ?? []).flatMap((declaration) => {
    const node = ts.isTypeAliasDeclaration(declaration) ? declaration.type : declaration;
    if (!ts.isInterfaceDeclaration(node) && !ts.isTypeLiteralNode(node) && !ts.isClassDeclaration(node)) return [];
    return [...node.members].flatMap((member) => {
      const isHidden =
        ts.getCombinedModifierFlags(member as ts.Declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
      const name = member.name;
      if (!name || isHidden || ts.isPrivateIdentifier(name)) return [];
      const found = checker.getSymbolAtLocation(name);
      return found ? [found] : [];
    });
  });
}

/** What has no docstring of all that a module exports, and of what its namespaces do: those are modules, which say what they are for. */
function undocumented(module: ts.Symbol): readonly string[] {
  return checker.getExportsOfModule(module).flatMap((each) => {
    const symbol = each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each;
    if (!isOurs(symbol)) return [];
    if (symbol.flags & ts.SymbolFlags.ValueModule) return undocumented(symbol).map((name) => `${each.name}.${name}`);
    const members = membersOf(symbol).filter((member) => !isDocumented(member));
    return [...(isDocumented(symbol) ? [] : [each.name]), ...members.map(({ name }) => `${each.name}.${name}`)];
  });
}

it.each(entries)("%s", (entry) => {
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
  expect(checker.getExportsOfModule(module).length).toBeGreaterThan(0);
  expect(undocumented(module)).toEqual([]);
});
