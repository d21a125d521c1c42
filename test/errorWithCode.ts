import type { ErrorCode } from '../src/errors';

/** For `toThrow`: an error with this code. */
export function errorWithCode(code: ErrorCode): Error {
  return expect.objectContaining({ code }) as Error;
}
