// The view of the board as a file: CSV, LaTeX or BibTeX, with the numbers, marks, rows and columns that are shown.

const TEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
const tex = (text) => text.replace(/[\\~^&%$#_{}]/g, (sign) => TEX[sign] ?? `\\${sign}`)
  .replace(/–/g, "--").replace(/†/g, "\\textdagger{}").replace(/×/g, "$\\times$").replace(/±/g, "$\\pm$");

/** A field of a CSV file; text that a spreadsheet would take for a formula has an apostrophe before it. */
function csvField(value) {
  const text = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** One line per number that is shown, in the order of the tables. */
function asCsv(shown) {
  const lines = [["source", "table", "method", "column", "metric", "value", "spread", "mark"]];
  for (const { group, columns, rows } of shown) {
    for (const place of rows) {
      for (const { title, metric, cells } of columns) {
        const [text, spread, mark] = cells[place] ?? ["-"];
        if (text !== "-") lines.push([group.kind, group.title, group.rows[place].name, title, titles.get(metric), text, spread ?? "", mark ?? ""]);
      }
    }
  }
  return lines.map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
}

function texNumber(cell) {
  if (!cell || cell[0] === "-") return "--";
  const [text, spread, mark] = cell;
  const number = { best: `\\textbf{${text}}`, second: `\\underline{${text}}`, apart: `${text}\\textsuperscript{\\textdagger}` }[mark] ?? text;
  return spread ? `${number}{\\scriptsize\\,$\\pm$\\,${spread}}` : number;
}

function asLatex(shown) {
  const table = ({ group, columns, rows }) => [
    "\\begin{table*}", "  \\centering\\small", `  \\caption{${tex(`${group.kind}: ${group.title}. ${columnMetrics(columns)}.`)}}`,
    "  \\resizebox{\\ifdim\\width>\\linewidth \\linewidth\\else\\width\\fi}{!}{%", `  \\begin{tabular}{l${"c".repeat(columns.length)}}`, "    \\toprule",
    `    method & ${columns.map((column) => tex(columnTitle(column))).join(" & ")} \\\\`, "    \\midrule",
    ...rows.map((place) => `    ${tex(group.rows[place].name)} & ${columns.map((column) => texNumber(column.cells[place])).join(" & ")} \\\\`),
    "    \\bottomrule", "  \\end{tabular}}", "\\end{table*}", "",
  ].join("\n");
  return `% needs booktabs, graphicx and textcomp\n${shown.map(table).join("\n")}`;
}

/** The entries of the methods and data sets that are shown, each once. */
function asBibtex(shown) {
  const keys = unique(shown.flatMap(({ group, columns, rows }) => [
    ...rows.map((place) => data.methods[group.rows[place].method]?.key),
    ...columns.flatMap((column) => (column.target ? data.datasets[column.target].keys : [])),
  ])).filter((key) => data.bib[key]);
  return keys.sort().map((key) => `${data.bib[key]}\n`).join("\n");
}

const EXPORTS = { csv: ["text/csv", asCsv], tex: ["application/x-tex", asLatex], bib: ["application/x-bibtex", asBibtex] };

function download(kind) {
  const [type, make] = EXPORTS[kind];
  const address = URL.createObjectURL(new Blob([make(shownOnBoard())], { type: `${type};charset=utf-8` }));
  const link = element("a", { href: address, download: `zsadbench-view.${kind}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function startExports() {
  for (const button of document.querySelectorAll("[data-export]")) button.addEventListener("click", () => download(button.dataset.export));
}
