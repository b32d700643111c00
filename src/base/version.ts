// The library's version, for what must not outlive it; a test holds it against package.json.
export const version = "0.2.0";
