// The classes of one data set: the numbers of all methods as a table on one fixed colour scale, and as bars.

const LOWEST = { image_auroc: 50, pixel_auroc: 50 }; // chance; other metrics start at 0

/** Every entry that has classes of `target`: its group, name, mean, and class → cell, for one metric. */
function entriesOf(target, metric) {
  return data.groups.filter((group) => group.classes[target]?.cells[keyOf(group, metric)]).flatMap((group) => {
    const { names, cells, mean } = group.classes[target];
    const rows = cells[keyOf(group, metric)];
    const means = group.cells[keyOf(group, metric)]?.[target] ?? mean?.[keyOf(group, metric)] ?? [];
    return group.rows.map((row, place) => ({
      group, row, name: row.name, mean: means[place] ?? null,
      cells: new Map(names.map((name, index) => [name, rows[index][place]])),
    })).filter((entry) => [...entry.cells.values()].some((cell) => cell));
  });
}

/** The saturation of a value's colour, 0 to 1, on the scale of its metric. */
function share(cell, metric) {
  const lowest = LOWEST[metric] ?? 0;
  return Math.min(1, Math.max(0, (valueOf(cell) - lowest) / (100 - lowest)));
}

function heatCell(cell, metric) {
  const filled = Number.isNaN(valueOf(cell)) ? null : `--share:${share(cell, metric).toFixed(2)}`;
  return element("td", { class: filled ? "heat" : false, style: filled }, printed(cell));
}

function heatTable(target, metric, entries, names) {
  const groups = unique(entries.map((entry) => entry.group));
  const over = groups.map((group) => element("th", {
    scope: "colgroup", colspan: entries.filter((entry) => entry.group === group).length,
  }, badge(group), " ", group.short));
  const line = (name, cells) => element("tr", {}, element("th", { scope: "row" }, name), cells);
  return element("table", { class: "classes" },
    element("caption", {}, `${titleOf(target)}, ${titles.get(metric)}`),
    element("thead", {}, element("tr", {}, element("td", {}), over),
      element("tr", {}, headed("class", "class"), entries.map((entry) => headed(entry.name, methodTerm(entry.row))))),
    element("tbody", {}, names.map((name) => line(name, entries.map((entry) => heatCell(entry.cells.get(name) ?? null, metric))))),
    element("tbody", { class: "summary" }, line("mean", entries.map((entry) => element("td", {}, printed(entry.mean))))));
}

/** Bars repeat the table and are hidden from screen readers. Whiskers: one standard deviation over seeds. */
function bars(entries, names) {
  const series = seriesOf(entries.map((entry) => entry.row));
  const key = entries.map((entry, place) => element("li", {}, marker(series[place]), `${entry.name} (${entry.group.short})`));
  const bar = (cell, place) => {
    if (Number.isNaN(valueOf(cell))) return element("div", { class: "bar none" }, "–");
    const spread = Number.parseFloat(cell[1]) || 0;
    const whisker = spread ? element("b", { style: `left:${valueOf(cell) - spread}%;width:${2 * spread}%` }) : null;
    return element("div", { class: "bar" }, marker(series[place]), element("span", {}, element("i", { style: `width:${valueOf(cell)}%;background:var(--s${series[place]})` }), whisker), element("em", {}, cell[0]));
  };
  const rows = names.map((name) => element("div", { class: "of-class" }, element("div", { class: "name" }, name),
    element("div", {}, entries.map((entry, place) => bar(entry.cells.get(name) ?? null, place)))));
  return element("div", { "aria-hidden": "true", class: "bars" }, element("ul", { class: "key" }, key), rows);
}

function renderClasses() {
  const form = document.getElementById("class-filters").elements;
  const targets = Object.keys(data.datasets).filter((target) => data.groups.some((group) => group.classes[target]));
  fill(form.set, targets.map((target) => [target, titleOf(target)]), view.set);
  const metrics = data.metrics.filter(([metric]) => entriesOf(form.set.value, metric).length);
  fill(form.by, metrics, view.by || view.metric);
  const [target, metric] = [form.set.value, form.by.value];
  const entries = target ? entriesOf(target, metric) : [];
  const names = unique(entries.flatMap((entry) => [...entry.cells.keys()]));
  const label = target ? `${titleOf(target)} by class` : "";
  document.getElementById("heat").replaceChildren(entries.length ? wide(label, heatTable(target, metric, entries, names)) : "No number by class is known.");
  document.getElementById("bars").replaceChildren(...(entries.length ? [bars(entries, names)] : []));
}

function startClasses() {
  const form = document.getElementById("class-filters");
  form.addEventListener("input", (event) => change({ [event.target.name]: event.target.value }));
  form.addEventListener("submit", (event) => event.preventDefault());
}
