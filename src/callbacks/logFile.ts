/** Tables that grow by a row at a time and are whole whenever the process ends: as CSV or as lines of JSON. */
import * as fs from 'node:fs';
import * as path from 'node:path';

import { NatgradError } from '../errors';

/** Values by column; those that are missing, or are not finite, are left empty. */
export type Row = Record<string, number | string>;

export type LogFormat = 'csv' | 'jsonLines';

export interface LogFile {
  write(row: Row): void;
}

const extensions: Record<string, LogFormat> = {
  '.csv': 'csv',
  '.jsonl': 'jsonLines',
  '.ndjson': 'jsonLines',
};

/** The format that the name of a file tells; undefined if it tells none. */
export function formatOf(file: string): LogFormat | undefined {
  return extensions[path.extname(file).toLowerCase()];
}

/**
 * Begins a table, or goes on with the one in the file. Of that, rows of steps that are yet to come are dropped: they are of a run that went on
 * beyond the checkpoint from which this one resumes.
 *
 * @param columns of CSV, `step` among them; other entries of its rows are left out
 * @param from the step from which a table is gone on with; undefined begins a new one
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if the file cannot be written or its columns are others
 */
export function logFile(file: string, format: LogFormat, columns: string[], from?: number): LogFile {
  const header = format === 'csv' ? csvLine(columns) : '';
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const written = from !== undefined && fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null;
    const kept = written === null ? '' : rowsUpTo(from!, file, written, header);
    if (kept === '' || kept !== written) replace(file, kept === '' ? header : kept);
  } catch (cause) {
    if (cause instanceof NatgradError) throw cause;
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `the log ${file} cannot be written: ${(cause as Error).message}; choose another file.`,
      { cause },
    );
  }
  const line = format === 'csv' ? (row: Row) => csvLine(columns.map((column) => row[column])) : jsonLine;
  return { write: (row) => fs.appendFileSync(file, line(row)) };
}

/** At once, so that a run that is killed here does not lose the log of the one before. */
function replace(file: string, content: string): void {
  const beside = `${file}.tmp`;
  fs.writeFileSync(beside, content);
  fs.renameSync(beside, file);
}

/**
 * The lines of a table up to a step, without one that a run which was killed has left unfinished.
 *
 * @param header of CSV; empty for lines of JSON
 */
function rowsUpTo(step: number, file: string, text: string, header: string): string {
  const lines: string[] = text.slice(0, text.lastIndexOf('\n') + 1).match(/.*\n/g) ?? [];
  if (lines.length === 0) return '';
  if (header !== '' && lines[0] !== header) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `the log ${file} has other columns (${lines[0].trim()}) than this training (${header.trim()}); choose another file.`,
    );
  }
  const rows = header === '' ? lines : lines.slice(1);
  const kept = rows.filter((line) => stepOf(line, file, header) <= step);
  return [...(header === '' ? [] : [header]), ...kept].join('');
}

function stepOf(line: string, file: string, header: string): number {
  try {
    if (header === '') return (JSON.parse(line) as { step: number }).step;
    return Number(line.split(',')[header.trim().split(',').indexOf('step')]);
  } catch (cause) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `the log ${file} holds a line that is no JSON; choose another file.`,
      { cause },
    );
  }
}

/** RFC 4180, but for the ends of lines. */
function csvLine(cells: (number | string | undefined)[]): string {
  const text = cells.map((cell) => {
    if (cell === undefined || (typeof cell === 'number' && !Number.isFinite(cell))) return '';
    const plain = String(cell);
    return /[",\n]/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
  });
  return `${text.join()}\n`;
}

/** JSON has no NaN and no infinity, which become null. */
function jsonLine(row: Row): string {
  return `${JSON.stringify(row)}\n`;
}
