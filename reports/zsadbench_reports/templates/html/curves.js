// Curves of one class, one line per method, and a table of the methods' numbers with intervals.

const PANELS = {
  roc: ["ROC", "false positive rate", "true positive rate"],
  pr: ["Precision and recall", "recall", "precision"],
  pro: ["PRO", "false positive rate", "overlap with regions"],
};
const [WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM] = [320, 250, 48, 16, 36];
const LIMIT = 300; // AUPRO is the area up to this false positive rate, in thousandths

/** The groups that have curves of `target`. */
const withCurves = (target) => data.groups.filter((group) => group.curves?.[target]);

/** The height of a curve `[x, y, …]` at `x`, between its points. */
function heightAt(points, x) {
  for (let place = 2; place < points.length; place += 2) {
    const [left, right] = [points[place - 2], points[place]];
    if (x <= right) return right === left ? points[place + 1] : points[place - 1] + ((x - left) / (right - left)) * (points[place + 1] - points[place - 1]);
  }
  return points.at(-1);
}

/** The SVG path of `[x, y, …]` in thousandths; `end` is the largest x of the panel. */
function path(points, end) {
  const steps = [];
  for (let place = 0; place < points.length; place += 2) {
    const x = LEFT + (points[place] / end) * (WIDTH - LEFT - RIGHT);
    const y = HEIGHT - BOTTOM - (points[place + 1] / 1000) * (HEIGHT - BOTTOM - 24);
    steps.push(`${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
  }
  return steps.join("");
}

/** One panel; `lines` are `{name, number, points}`, where `number` is that of colour and marker. */
function panel(kind, lines) {
  const [title, across, up] = PANELS[kind];
  const end = Math.max(...lines.flatMap(({ points }) => points.filter((_, place) => place % 2 === 0)), 1);
  const names = lines.map(({ name }) => name).join(", ");
  const drawn = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title} of ${names}; the areas stand in the table below` });
  const text = (x, y, words, anchor, extra = {}) => drawn.append(shape("text", { x, y, "text-anchor": anchor, ...extra }, words));
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const y = HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 24);
    const x = LEFT + share * (WIDTH - LEFT - RIGHT);
    drawn.append(shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" }));
    text(LEFT - 5, y + 3.5, share.toFixed(2), "end");
    text(x, HEIGHT - BOTTOM + 14, (share * end / 1000).toFixed(end < 1000 ? 3 : 2), "middle");
  }
  text(LEFT, 12, title, "start", { class: "heading" });
  text((WIDTH + LEFT) / 2, HEIGHT - 4, across, "middle");
  text(11, (HEIGHT - BOTTOM + 24) / 2, up, "middle", { transform: `rotate(-90 11 ${(HEIGHT - BOTTOM + 24) / 2})` });
  if (kind === "pro" && end > LIMIT) drawn.append(shape("path", { d: path([LIMIT, 0, LIMIT, 1000], end), class: "limit" }));
  lines.forEach(({ name, number, points }, order) => {
    const curve = shape("path", { d: path(points, end), class: "curve", style: `stroke:var(--s${number})` });
    curve.append(shape("title", {}, name));
    drawn.append(curve);
    for (const part of [0.1, 0.4, 0.7]) { // markers of different methods are at different places
      const at = (part + (0.25 * order) / lines.length) * end;
      const x = LEFT + (at / end) * (WIDTH - LEFT - RIGHT);
      const y = HEIGHT - BOTTOM - (heightAt(points, at) / 1000) * (HEIGHT - BOTTOM - 24);
      drawn.append(shape("path", { d: data.markers[number], style: `fill:var(--s${number})`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(4)` }));
    }
  });
  return element("figure", { class: "panel" }, drawn);
}

/** The numbers of every method on the class, with their intervals where known. */
function areas(group, target, name, present, series) {
  const classes = group.classes[target];
  const row = classes?.names.indexOf(name) ?? -1;
  const shown = data.metrics.filter(([metric]) => metric !== "aupro" && classes?.cells[metric]?.[row]?.some((cell) => cell));
  const interval = (place, metric) => {
    const found = group.intervals?.[target]?.[name]?.[place]?.[metric];
    return found ? element("small", { class: "interval" }, `${found[0]} to ${found[1]}`) : null;
  };
  const body = present.map((place) => element("tr", {},
    element("th", { scope: "row" }, marker(series[place]), termed(group.rows[place].name, methodTerm(group.rows[place]))),
    shown.map(([metric]) => element("td", {}, printed(classes.cells[metric][row][place]), interval(place, metric)))));
  return element("table", { class: "areas" }, element("caption", {}, `${titleOf(target)}, ${name}`),
    element("thead", {}, element("tr", {}, headed("method", "method"), shown.map(([metric, title]) => headed(title, metric)))),
    element("tbody", {}, body));
}

function groupCurves(group, target, name) {
  const stored = group.curves[target][name] ?? [];
  const present = group.rows.map((_, place) => place).filter((place) => stored[place]);
  const series = seriesOf(group.rows);
  const panels = Object.keys(PANELS).map((kind) => [kind, present.filter((place) => stored[place][kind])
    .map((place) => ({ number: series[place], name: group.rows[place].name, points: stored[place][kind] }))]).filter(([, lines]) => lines.length);
  return [
    heading(group),
    element("div", { class: "figures three" }, panels.map(([kind, lines]) => panel(kind, lines))),
    wide(`Numbers of ${titleOf(target)}, ${name}`, areas(group, target, name, present, series)),
  ];
}

function renderCurves() {
  const place = document.getElementById("curves-shown");
  if (!place) return;
  const form = document.getElementById("curve-filters").elements;
  const targets = Object.keys(data.datasets).filter((target) => withCurves(target).length);
  fill(form.curveset, targets.map((target) => [target, titleOf(target)]), view.curveset);
  const groups = withCurves(form.curveset.value);
  const names = unique(groups.flatMap((group) => Object.keys(group.curves[form.curveset.value])));
  fill(form.class, names.map((name) => [name, name]), view.class);
  place.replaceChildren(...groups.filter((group) => group.curves[form.curveset.value][form.class.value])
    .flatMap((group) => groupCurves(group, form.curveset.value, form.class.value)));
}

function startCurves() {
  const form = document.getElementById("curve-filters");
  form?.addEventListener("input", (event) => change({ [event.target.name]: event.target.value }));
  form?.addEventListener("submit", (event) => event.preventDefault());
}
