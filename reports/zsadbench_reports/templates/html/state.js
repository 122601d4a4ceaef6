// The data of the page, and the view: the present choices of metric, filters and order.
const data = JSON.parse(document.getElementById("payload").textContent);
const titles = new Map(data.metrics);
for (const row of data.groups.flatMap((group) => group.rows)) Object.assign(row, { entry: row.name, name: row.label ?? row.name });

const defaults = {
  metric: data.metrics[0][0], also: "", domain: "", source: "", protocol: "", method: "", datasets: "", sort: "",
  set: "", by: "", curveset: "", class: "", partset: "", part: "", partmetric: "", scoreset: "", scoreclass: "",
};
const view = { ...defaults };

/** Read the view from the address; missing or unknown values get their defaults. */
function readView() {
  const asked = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  for (const key of Object.keys(defaults)) view[key] = asked.get(key) ?? defaults[key];
  if (!titles.has(view.metric)) view.metric = defaults.metric;
}

/** The fragment of the address for this view; the name of the first section for the default view. */
function fragment() {
  const chosen = Object.entries(view).filter(([key, value]) => value !== defaults[key]);
  return chosen.length ? `#${new URLSearchParams(chosen)}` : "#ranking";
}

/** Apply `changes` to the view, the page and the address. */
function change(changes) {
  Object.assign(view, changes);
  history.replaceState(null, "", fragment());
  render();
}

/** The key of `metric` in `group`: `aupro` is the group's own variant of AUPRO. */
const keyOf = (group, metric) => (metric === "aupro" ? group.aupro : metric);
const domainOf = (target) => data.datasets[target].domain;
const titleOf = (target) => data.datasets[target].title;
const unique = (values) => [...new Set(values)];

/** The number that a cell prints, NaN where it prints none. */
const valueOf = (cell) => (cell ? Number.parseFloat(cell[0]) : NaN);

/** The content of a cell: number, mark and spread, with text for screen readers where a mark is only visible. */
function printed(cell) {
  if (!cell || cell[0] === "-") return [element("span", { title: cell?.[3] || false, "data-term": cell?.[3] ? false : "none" }, "–"), cell?.[3] ? unseen(cell[3]) : null];
  const [text, spread, mark, , remark] = cell;
  if (remark) return [...printed([text, spread, mark]), element("small", {}, ` ${remark}`)];
  const tag = { best: "strong", second: "u" }[mark];
  const number = tag ? element(tag, {}, text, unseen(mark === "best" ? " best" : " second best")) : text;
  const apart = mark === "apart" ? [element("span", { "aria-hidden": "true", "data-term": "apart" }, "†"), unseen(" not comparable")] : [];
  return [number, ...apart, spread ? element("small", { "data-term": "spread" }, ` ±${spread}`) : null];
}

const badge = (group) => element("span", { class: `badge ${group.kind}`, "data-term": group.kind }, group.kind);

/** A group's heading, in which the name of its protocol has an explanation. */
function heading(group) {
  const protocol = group.kind === "measured" ? group.rows[0].protocols[0] : "";
  const [before, ...after] = protocol ? group.title.split(protocol) : [group.title];
  return element("h3", {}, badge(group), " ", before, protocol ? termed(protocol, `protocol-${protocol}`) : null, after.join(protocol));
}

/** A table that may be wider than the page, reachable and scrollable by keyboard. */
const wide = (label, table) => element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": label }, table);
