// Breakdowns of a data set or a class: by type of defect, area, number and position of regions, and view.

const KINDS = { defect: "type of defect", area: "area of the region", regions: "regions in the image", border: "place of the region", view: "view", class: "whole class" };
const QUARTERS = ["smallest quarter", "second quarter", "third quarter", "largest quarter"];
const BORDERS = { touching: "touching the border", near: "near the border", far: "far from the border" };
const withParts = (target) => data.groups.filter((group) => group.parts?.[target]);

/** The title of a part on the page. */
function partTitle(group, target, part) {
  const [kind, name] = [part.split("=")[0], part.slice(part.indexOf("=") + 1)];
  if (kind === "regions") return name === "1" ? "1 region" : `${name} regions`;
  if (kind === "border") return BORDERS[name] ?? name;
  if (kind !== "area") return kind === "class" ? "whole class" : name;
  const edges = group.edges?.[target];
  const place = Number(name) - 1;
  const bound = !edges ? "" : place < 3 ? `, up to ${edges[place]} % of the image` : `, over ${edges[2]} % of the image`;
  return (QUARTERS[place] ?? name) + bound;
}

function partsTable(group, target, name, lines, metric) {
  const heads = [["part", "part"], ["images", "images"], ["anomalous pixels [%]", "prevalence"], ...group.rows.map((row) => [row.name, methodTerm(row)])];
  const kinds = unique(lines.map((line) => line.part.split("=")[0]));
  const bodies = kinds.map((kind) => element("tbody", {},
    element("tr", { class: "block" }, element("th", { scope: "rowgroup", colspan: heads.length }, KINDS[kind] ?? kind)),
    lines.filter((line) => line.part.split("=")[0] === kind).map((line) => element("tr", {},
      element("th", { scope: "row" }, partTitle(group, target, line.part)), element("td", {}, line.images), element("td", {}, line.prevalence || "–"),
      line.cells[metric].map((cell) => element("td", {}, printed(cell)))))));
  return element("table", { class: "parts" },
    element("caption", {}, `${titleOf(target)}, ${name || "mean over the classes that have the part"}, ${titles.get(metric)}`),
    element("thead", {}, element("tr", {}, heads.map(([title, term]) => headed(title, term)))), bodies);
}

function groupParts(group, target, name, metric) {
  const lines = group.parts[target][name].filter((line) => line.cells[metric]);
  const entries = group.rows.map((row, place) => ({
    group, row, name: row.name, cells: new Map(lines.map((line) => [partTitle(group, target, line.part), line.cells[metric][place]])),
  })).filter((entry) => [...entry.cells.values()].some((cell) => cell));
  if (!lines.length) return [];
  return [
    heading(group),
    wide(`Breakdown of ${titleOf(target)}`, partsTable(group, target, name, lines, metric)),
    bars(entries, lines.map((line) => partTitle(group, target, line.part))),
  ];
}

function renderBreakdowns() {
  const place = document.getElementById("parts-shown");
  if (!place) return;
  const form = document.getElementById("part-filters").elements;
  const targets = Object.keys(data.datasets).filter((target) => withParts(target).length);
  fill(form.partset, targets.map((target) => [target, titleOf(target)]), view.partset);
  const groups = withParts(form.partset.value);
  const names = unique(groups.flatMap((group) => Object.keys(group.parts[form.partset.value])));
  fill(form.part, names.map((name) => [name, name || "mean over classes"]), view.part);
  const lines = groups.flatMap((group) => group.parts[form.partset.value][form.part.value] ?? []);
  const metrics = data.metrics.filter(([metric]) => lines.some((line) => line.cells[metric]));
  const first = metrics.some(([metric]) => metric === "pixel_aupro") ? "pixel_aupro" : "";
  fill(form.partmetric, metrics, view.partmetric || first);
  place.replaceChildren(...groups.filter((group) => group.parts[form.partset.value][form.part.value])
    .flatMap((group) => groupParts(group, form.partset.value, form.part.value, form.partmetric.value)));
}

function startBreakdowns() {
  const form = document.getElementById("part-filters");
  form?.addEventListener("input", (event) => change({ [event.target.name]: event.target.value }));
  form?.addEventListener("submit", (event) => event.preventDefault());
}
