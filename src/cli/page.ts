import { escapeMarkup } from './chart';

export interface Page {
  title: string;
  /** SVG elements. */
  charts: string[];
  /** Header row first. A table with a caption is told what it shows. */
  tables: { caption?: string; rows: string[][] }[];
  note: string;
  /** Label and value of what produced it. */
  facts: [string, string][];
}

/** Charts and tables as one HTML file that loads nothing. */
export function htmlPage({ title, charts, tables, note, facts }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeMarkup(title)}</h1>
<div class="charts">
${charts.map((chart) => `<figure>${chart}</figure>`).join('\n')}
</div>
${tables.map(htmlTable).join('\n')}
<p class="note">${escapeMarkup(note)}</p>
<dl>
${facts.map(([label, value]) => `<dt>${escapeMarkup(label)}</dt><dd>${escapeMarkup(value)}</dd>`).join('\n')}
</dl>
</body>
</html>
`;
}

const style = `
:root { color-scheme: light dark; --back: #ffffff; --text: #1d2430; --line: #dfe3ea; --soft: #f6f7f9; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --text: #e4e8ee; --line: #313843; --soft: #1b2027; } }
body { margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 1180px; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 1.25rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 1rem; }
figure { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: 10px; background: var(--soft); }
svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { width: 100%; margin: 1.5rem 0 .5rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
caption { text-align: left; padding: .45rem 0; }
th { font-weight: 600; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
.note { margin: 0 0 1.5rem; font-size: .875rem; opacity: .75; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; font-size: .875rem; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
`;

function htmlTable({ caption, rows: [header, ...rows] }: Page['tables'][number]): string {
  const cells = (tag: string, row: string[]) =>
    row.map((cell) => `<${tag}>${escapeMarkup(cell)}</${tag}>`).join('');
  const title = caption === undefined ? '' : `<caption>${escapeMarkup(caption)}</caption>`;
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<div class="scroll"><table>${title}\n<thead><tr>${cells('th', header)}</tr></thead>\n<tbody>\n${body}\n</tbody></table></div>`;
}
