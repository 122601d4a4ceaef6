// Rows of the grid by rule or by hand, and the LaTeX of those that are shown.
const form = document.getElementById("choice");
const sections = [...document.querySelectorAll("section.grid")];
const current = () => document.getElementById(form.elements.set.value);
const rowsOf = (section) => [...section.querySelectorAll("tbody tr")];
const ticked = (row) => row.querySelector("input").checked;

/** The view in the address: data set, rule, and the paths of ticked rows. */
function fragment() {
  const paths = rowsOf(current()).filter(ticked).map((row) => row.dataset.path);
  return `#${new URLSearchParams([["set", form.elements.set.value], ["rule", form.elements.rule.value], ...paths.map((path) => ["row", path])])}`;
}

function render() {
  const rule = form.elements.rule.value;
  for (const section of sections) section.hidden = section !== current();
  for (const row of rowsOf(current())) row.hidden = rule === "ticked" ? !ticked(row) : rule !== "" && !row.dataset.rules.split("|").includes(rule);
  const shown = rowsOf(current()).filter((row) => !row.hidden);
  document.getElementById("status").textContent = `${shown.length} rows`;
  document.getElementById("command").textContent = `zsadbench report --format grid ${shown.map((row) => `--picture '${current().dataset.target}:${row.dataset.path}'`).join(" ")}`;
}

const TEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
const tex = (text) => text.replace(/[\\~^&%$#_{}]/g, (sign) => TEX[sign] ?? `\\${sign}`);

function asLatex() {
  const section = current();
  const headings = [...section.querySelectorAll("thead th")].slice(1).map((head) => tex(head.textContent));
  const width = (0.985 / headings.length).toFixed(4);
  const cell = (one) => {
    const picture = one.querySelector("img");
    return picture ? `\\includegraphics[width=\\linewidth]{${decodeURIComponent(picture.getAttribute("src"))}}` : "--";
  };
  const rows = rowsOf(section).filter((row) => !row.hidden);
  return [
    "% needs graphicx and array", "\\begin{figure*}", "  \\centering\\footnotesize\\setlength{\\tabcolsep}{0pt}\\renewcommand{\\arraystretch}{0}",
    `  \\begin{tabular}{*{${headings.length}}{@{\\hspace{1pt}}>{\\centering\\arraybackslash}p{${width}\\textwidth}}@{}}`,
    `    ${headings.map((name) => `\\strut ${name}`).join(" & ")} \\\\[2pt]`,
    ...rows.map((row) => `    ${[...row.querySelectorAll("td")].map(cell).join(" & ")} \\\\[1pt]`),
    "  \\end{tabular}", `  \\caption{${tex(section.dataset.title)}.}`, "\\end{figure*}", "",
  ].join("\n");
}

/** Read the view from the address; unknown values get their defaults. */
function readView() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (sections.some((section) => section.id === asked.get("set"))) form.elements.set.value = asked.get("set");
  for (const row of rowsOf(current())) row.querySelector("input").checked = asked.getAll("row").includes(row.dataset.path);
  if ([...form.elements.rule.options].some((option) => option.value === asked.get("rule"))) form.elements.rule.value = asked.get("rule");
}

startTheme();
readView();
render();
document.addEventListener("change", () => { render(); history.replaceState(null, "", fragment()); });
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("tex").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([asLatex()], { type: "application/x-tex" }));
  element("a", { href: address, download: `grid_${form.elements.set.value}.tex` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
});
