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
  const kept = from === undefined ? '' : rowsUpTo(file, format, columns, from);
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, kept === '' ? header : kept);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `the log ${file} cannot be written: ${reason}; choose another file.`,
      { cause },
    );
  }
  const line = format === 'csv' ? (row: Row) => csvLine(columns.map((column) => row[column])) : jsonLine;
  return { write: (row) => fs.appendFileSync(file, line(row)) };
}

/** The lines of the file, without those that a run which was killed has left unfinished or that are of later steps. */
function rowsUpTo(file: string, format: LogFormat, columns: string[], step: number): string {
  if (!fs.existsSync(file)) return '';
  const text = fs.readFileSync(file, 'utf8');
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split(/(?<=\n)/);
  if (format === 'jsonLines') {
    return lines.filter((line) => (JSON.parse(line) as { step: number }).step <= step).join('');
  }
  const [header = '', ...rows] = lines;
  if (header !== '' && header !== csvLine(columns)) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `the log ${file} has other columns (${header.trim()}) than this training (${columns.join()}); choose another file.`,
    );
  }
  const position = columns.indexOf('step');
  return header + rows.filter((line) => Number(line.split(',')[position]) <= step).join('');
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
