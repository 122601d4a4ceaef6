// The board: one table per comparability group, each sorted on its own.

const missing = (cells) => !cells || cells.every((cell) => cell === null);

/** The metrics of the view: the chosen one, then those beside it. */
const metricsShown = () => [view.metric, ...view.also.split(",").filter((metric) => titles.has(metric) && metric !== view.metric)];

/**
 * The columns of a group that the filters leave: data sets by domain, each domain followed by its means and ranks.
 * A data set has one column per metric of the view.
 */
function columnsOf(group) {
  const chosen = view.datasets ? new Set(view.datasets.split(",")) : null;
  const wanted = (target) => (!view.domain || domainOf(target) === view.domain) && (!chosen || chosen.has(target));
  const suffix = (metric) => (metric === view.metric ? "" : `~${metric}`);
  const metrics = metricsShown().filter((metric, place, all) => all.findIndex((one) => keyOf(group, one) === keyOf(group, metric)) === place);
  const cellsOf = (metric) => group.cells[keyOf(group, metric)] ?? {};
  const lines = (domain, metric) => (group.summary[keyOf(group, metric)]?.[domain] ?? []).map((line, place) => ({
    key: `${["mean", "rank"][place]}:${domain}${suffix(metric)}`, domain, metric, title: line.label, cells: line.cells, summary: ["mean", "average-rank"][place],
  }));
  const targets = group.targets.filter((target) => wanted(target) && metrics.some((metric) => !missing(cellsOf(metric)[target])));
  return unique(targets.map(domainOf)).flatMap((domain) => [
    ...targets.filter((target) => domainOf(target) === domain).flatMap((target) => metrics.filter((metric) => !missing(cellsOf(metric)[target]))
      .map((metric) => ({ key: `${target}${suffix(metric)}`, target, domain, metric, title: titleOf(target), cells: cellsOf(metric)[target] }))),
    ...metrics.flatMap((metric) => lines(domain, metric)),
  ]);
}

/** The title of a column, with its metric where the view has several. */
const columnTitle = (column) => (view.also ? `${column.title}, ${titles.get(column.metric)}` : column.title);
const columnMetrics = (columns) => unique(columns.map((column) => titles.get(column.metric))).join(", ");

/** The groups that the filters leave, with their columns and sorted rows. */
function shownOnBoard() {
  return data.groups.filter((group) => !view.source || group.kind === view.source)
    .map((group) => ({ group, columns: columnsOf(group) }))
    .map(({ group, columns }) => ({ group, columns, rows: columns.length ? rowsOf(group, columns) : [] }))
    .filter(({ rows }) => rows.length);
}

/** The indices of the rows that the filters leave, sorted. */
function rowsOf(group, columns) {
  const asked = view.method.toLowerCase();
  const places = group.rows.map((row, place) => place).filter((place) => {
    const row = group.rows[place];
    const named = `${row.name} ${row.entry}`.toLowerCase().includes(asked);
    const made = !view.protocol || row.protocols.includes(view.protocol);
    return named && made && columns.some((column) => column.cells[place]);
  });
  return sorted(group, columns, places);
}

/** Sort by the chosen column: comparable numbers, then those that are not comparable, then rows without a number. */
function sorted(group, columns, places) {
  const [key, way] = sortOf();
  if (key === "name") {
    const names = [...places].sort((one, other) => group.rows[one].name.localeCompare(group.rows[other].name));
    return way === "desc" ? names.reverse() : names;
  }
  const column = columns.find((one) => one.key === key);
  if (!column) return places;
  const rank = (cell) => (Number.isNaN(valueOf(cell)) ? 2 : cell[2] === "apart" ? 1 : 0);
  return [...places].sort((one, other) => {
    const [left, right] = [column.cells[one], column.cells[other]];
    if (rank(left) !== rank(right)) return rank(left) - rank(right);
    if (rank(left) === 2) return 0;
    return (valueOf(left) - valueOf(right)) * (way === "desc" ? -1 : 1);
  });
}

/** The chosen column and direction: `[column, "asc" or "desc"]`. */
function sortOf() {
  const end = view.sort.lastIndexOf(":");
  return end < 0 ? ["", ""] : [view.sort.slice(0, end), view.sort.slice(end + 1)];
}

/** A heading that sorts: the first press puts the best first, the second reverses, the third restores the order. */
function sortable(key, title, term, attributes) {
  const first = key === "name" || key.startsWith("rank:") ? "asc" : "desc";
  const [chosen, way] = sortOf();
  const active = chosen === key;
  const next = !active ? `${key}:${first}` : way === first ? `${key}:${first === "asc" ? "desc" : "asc"}` : "";
  const arrow = active ? (way === "asc" ? "▲" : "▼") : "";
  const button = element("button", { type: "button", onclick: () => sortBy(next, key), "data-term": term }, title, element("span", { class: "arrow", "aria-hidden": "true" }, arrow));
  const state = active ? (way === "asc" ? "ascending" : "descending") : "none";
  return element("th", { ...attributes, "aria-sort": state, "data-key": key }, button);
}

/** Sort and keep the focus on the heading that was pressed. */
function sortBy(sort, key) {
  const table = document.activeElement?.closest("table")?.id;
  change({ sort });
  document.querySelector(`#${table} th[data-key="${CSS.escape(key)}"] button`)?.focus();
}

function boardTable(group, columns, rows) {
  const domains = unique(columns.map((column) => column.domain));
  const spans = domains.map((domain) => element("th", {
    scope: "colgroup", colspan: columns.filter((column) => column.domain === domain).length,
  }, domain));
  const metric = (column) => (view.also ? element("small", { class: "tag" }, titles.get(column.metric)) : null);
  const headings = columns.map((column) => sortable(column.key, [column.title, metric(column)].filter((one) => one), column.summary || datasetTerm(column.target),
    { scope: "col", class: column.summary ? "summary" : false }));
  const body = rows.map((place) => element("tr", {},
    element("th", { scope: "row" }, termed(group.rows[place].name, methodTerm(group.rows[place])), element("small", { class: "tag" }, group.rows[place].tag)),
    columns.map((column) => element("td", { class: column.summary ? "summary" : false }, printed(column.cells[place])))));
  return element("table", { id: `board-${group.id}`, class: "board" },
    element("caption", { class: "sr" }, `${group.title}, ${columnMetrics(columns)}`),
    element("thead", {}, element("tr", {}, element("td", {}), spans), element("tr", {}, sortable("name", "method", "method", { scope: "col" }), headings)),
    element("tbody", {}, body));
}

/** The notes below a table: how each row was computed, missing numbers, and the notes of the other formats. */
function boardNotes(group, columns, rows) {
  const made = rows.map((place) => element("li", {}, `${group.rows[place].name}: ${group.rows[place].about}`));
  const reasons = rows.flatMap((place) => columns.filter((column) => column.cells[place]?.[3])
    .map((column) => `${group.rows[place].name}, ${column.title}: ${column.cells[place][3]}`));
  const notes = [...reasons.map((reason) => `No number: ${reason}.`), ...group.notes];
  return element("details", { class: "how" }, element("summary", {}, "How these numbers were made"),
    element("ul", { class: "notes" }, made, notes.map((note) => element("li", {}, note))));
}

function renderBoard() {
  const shown = shownOnBoard();
  const label = (group) => `${group.kind}: ${group.title}`;
  document.getElementById("tables-of-board").replaceChildren(...shown.flatMap(({ group, columns, rows }) => [
    heading(group), wide(label(group), boardTable(group, columns, rows)), boardNotes(group, columns, rows),
  ]));
  const count = (kind) => shown.filter(({ group }) => group.kind === kind).reduce((sum, { rows }) => sum + rows.length, 0);
  const found = `${titles.get(view.metric)}: ${count("measured")} measured and ${count("published")} published rows in ${shown.length} ${shown.length === 1 ? "table" : "tables"}.`;
  const hint = view.metric.startsWith("pixel_aupro") ? ` Papers print AUPRO under one name: choose “${titles.get("aupro")}” to see it.` : "";
  document.getElementById("status").textContent = (shown.length ? found : "Nothing fits these filters.") + hint;
  renderFilters();
}

/** Set the controls to the view. */
function renderFilters() {
  const form = document.getElementById("filters").elements;
  const protocols = unique(data.groups.flatMap((group) => group.rows.flatMap((row) => row.protocols))).filter((name) => name);
  fill(form.metric, data.metrics, view.metric);
  fill(form.domain, [["", "all"], ...unique(Object.values(data.datasets).map((set) => set.domain)).map((name) => [name, name])], view.domain);
  fill(form.protocol, [["", "all"], ...protocols.map((name) => [name, name])], view.protocol);
  form.source.value = view.source;
  if (form.method.value !== view.method) form.method.value = view.method;
  for (const box of document.querySelectorAll("#also input")) {
    box.checked = metricsShown().includes(box.value);
    box.disabled = box.value === view.metric;
  }
  document.getElementById("also-chosen").textContent = metricsShown().slice(1).map((metric) => titles.get(metric)).join(", ") || "none";
  const chosen = view.datasets.split(",");
  for (const box of document.querySelectorAll("#sets input")) box.checked = !view.datasets || chosen.includes(box.value);
  document.getElementById("sets-chosen").textContent = view.datasets ? chosen.filter((name) => data.datasets[name]).map(titleOf).join(", ") : "all";
  document.getElementById("permalink").href = fragment();
}

function startBoard() {
  const form = document.getElementById("filters");
  document.getElementById("sets").append(...Object.entries(data.datasets).map(([name, set]) => element("label", {},
    element("input", { type: "checkbox", name: "dataset", value: name }), ` ${set.title}`)));
  document.getElementById("also").append(...data.metrics.map(([metric, title]) => element("label", {},
    element("input", { type: "checkbox", name: "also", value: metric }), ` ${title}`)));
  form.addEventListener("input", (event) => {
    const { name, value } = event.target;
    if (name === "also") {
      const boxes = [...document.querySelectorAll("#also input:not(:disabled)")];
      return change({ also: boxes.filter((box) => box.checked).map((box) => box.value).join(",") });
    }
    if (name === "dataset") {
      const boxes = [...document.querySelectorAll("#sets input")];
      const kept = boxes.filter((box) => box.checked).map((box) => box.value);
      return change({ datasets: kept.length === boxes.length ? "" : kept.join(",") || "none" });
    }
    return change({ [name]: value });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => change({ metric: view.metric, also: "", domain: "", source: "", protocol: "", method: "", datasets: "", sort: "" }));
}
