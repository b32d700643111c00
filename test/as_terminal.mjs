// Loaded before the command line (node --import): stderr counts as a terminal.
Object.defineProperty(process.stderr, "isTTY", { value: true });
