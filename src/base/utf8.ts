// Text from the bytes of a file. Bytes that are not UTF-8 are refused: decoded anyway, different words would become the same.
import { DataError } from "./errors.ts";

/**
 * The text in a file's bytes, without the byte order mark that some editors start a file with.
 *
 * @param name The file, for the error.
 * @throws DataError for bytes that are not UTF-8.
 */
export function decodeText(name: string, bytes: Uint8Array | ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new DataError(`${name} is not text in UTF-8; it must be saved as UTF-8, and not be compressed`, {
      cause: error,
    });
  }
}
