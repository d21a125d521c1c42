/** Files that survive whatever ends the process: what `replaceDurably` has returned from is on the disk, as a whole. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

/** Writes a new file and waits until the disk has it. */
export async function writeDurably(file: string, content: string | Uint8Array[]): Promise<void> {
  const handle = await fs.open(file, 'wx');
  try {
    for (const part of typeof content === 'string' ? [Buffer.from(content)] : content) {
      await handle.writeFile(part);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What {@link replaceDurably} calls the file that it writes beside `file`. */
export function temporaryName(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.tmp`;
}

/**
 * Replaces a file, or makes it: at every moment there is either the old content or the new one under its name, never a part. The new one
 * is written beside it and renamed, which POSIX promises to be atomic.
 */
export async function replaceDurably(file: string, content: string): Promise<void> {
  const temporary = temporaryName(file);
  try {
    await writeDurably(temporary, content);
    await fs.rename(temporary, file);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** Names are data of the folder, which has to reach the disk too. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows opens no folders, and writes their entries at once.
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
