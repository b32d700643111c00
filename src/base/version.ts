// The library's version, for caches that must not outlive it; a test compares it with package.json.
export const version = "0.2.0";
