// Histograms of image scores per class with a movable threshold: which good parts are flagged, which bad parts pass.

const SHARES = ["1 %", "5 %", "10 %"]; // false alarms that are allowed, as in the stored operating points
const chosenThresholds = new Map(); // panel → {edge} or {point}
const withScores = (target) => data.groups.filter((group) => group.scores?.[target]);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const portion = (count, all) => `${count} of ${all} (${(100 * count / all).toFixed(1)} %)`;

/** Threshold, false alarms and misses of a panel: at an edge of a bin, or at a stored operating point. */
function operating([low, high, normal, anomalous, points], chosen) {
  if (chosen.point !== undefined) {
    const [threshold, alarms, misses] = points[chosen.point];
    return { threshold, alarms, misses };
  }
  const threshold = low + (chosen.edge / normal.length) * (high - low);
  return { threshold, alarms: sum(normal.slice(chosen.edge)), misses: sum(anomalous.slice(0, chosen.edge)) };
}

const edgeOf = (stored, chosen) => chosen.edge ?? Math.round(((stored[4][chosen.point][0] - stored[0]) / (stored[1] - stored[0] || 1)) * stored[2].length);

/** Bars of good parts upwards and of bad parts downwards, each as a share of its own number. */
function drawHistogram(stored, threshold) {
  const [low, high, normal, anomalous] = stored;
  const [width, height] = [320, 120];
  const drawn = shape("svg", { viewBox: `0 0 ${width} ${height + 16}`, "aria-hidden": "true", class: "histogram" });
  const tallest = Math.max(...normal.map((count) => count / sum(normal)), ...anomalous.map((count) => count / sum(anomalous)));
  const step = width / normal.length;
  for (const [counts, kind, way] of [[normal, "good", -1], [anomalous, "bad", 1]]) {
    counts.forEach((count, place) => {
      const tall = (count / sum(counts) / tallest) * (height / 2 - 4);
      if (count) drawn.append(shape("rect", { x: place * step + 0.5, y: way < 0 ? height / 2 - tall : height / 2, width: step - 1, height: tall, class: kind }));
    });
  }
  const x = ((threshold - low) / (high - low || 1)) * width;
  drawn.append(shape("line", { x1: 0, x2: width, y1: height / 2, y2: height / 2, class: "grid" }));
  drawn.append(shape("line", { x1: x, x2: x, y1: 0, y2: height, class: "threshold" }));
  drawn.append(shape("text", { x: 0, y: height + 12, "text-anchor": "start" }, low.toPrecision(3)));
  drawn.append(shape("text", { x: width, y: height + 12, "text-anchor": "end" }, high.toPrecision(3)));
  return drawn;
}

function scorePanel(group, row, number, stored, key) {
  const read = element("output", { class: "readout" });
  const picture = element("div", {});
  const slider = element("input", { type: "range", min: 0, max: stored[2].length, step: 1, "aria-label": `Threshold of ${row.name}` });
  const show = () => {
    const chosen = chosenThresholds.get(key) ?? { point: 0 };
    const { threshold, alarms, misses } = operating(stored, chosen);
    slider.value = edgeOf(stored, chosen);
    const words = `Threshold ${threshold.toPrecision(4)}: ${portion(alarms, sum(stored[2]))} good parts flagged, ${portion(misses, sum(stored[3]))} bad parts pass.`;
    read.textContent = words;
    slider.setAttribute("aria-valuetext", words);
    picture.replaceChildren(drawHistogram(stored, threshold));
  };
  slider.addEventListener("input", () => { chosenThresholds.set(key, { edge: Number(slider.value) }); show(); });
  show();
  return element("figure", { class: "panel score" }, element("figcaption", {}, marker(number), termed(row.name, methodTerm(row))), picture, slider, read);
}

/** Bad parts that pass at each allowed share of false alarms: of the class, and the mean over classes. */
function passTable(group, target, name) {
  const classes = Object.entries(group.scores[target]);
  const series = seriesOf(group.rows);
  const share = (stored, point) => 100 * stored[4][point][2] / sum(stored[3]);
  const places = group.rows.map((_, place) => place).filter((place) => classes.some(([, stored]) => stored[place]));
  const mean = (place, point) => { const all = classes.filter(([, stored]) => stored[place]).map(([, stored]) => share(stored[place], point)); return sum(all) / all.length; };
  const own = (place, point) => { const stored = group.scores[target][name]?.[place]; return stored ? share(stored, point).toFixed(1) : "–"; };
  const order = [...places].sort((one, other) => mean(one, 0) - mean(other, 0));
  const few = classes.filter(([, stored]) => sum(stored.find((one) => one)[2]) < 100).map(([one]) => one);
  const note = few.length ? element("p", { class: "note" }, `Fewer than 100 good parts in ${few.length === 1 ? few[0] : `${few.length} classes`}: at 1 % none of them may be flagged, so the share that passes is uncertain.`) : null;
  const columns = (title) => SHARES.map((one) => headed(`${title}, ${one}`, "pass"));
  return [wide(`Bad parts that pass: ${titleOf(target)}`, element("table", { class: "passes", id: `passes-${group.id}` },
    element("caption", {}, "Share of ", termed("bad parts that pass", "pass"), ", in percent, when at most 1, 5 or 10 % of the ", termed("good parts are flagged", "alarms"), `: ${titleOf(target)}`),
    element("thead", {}, element("tr", {}, headed("method", "method"), columns("mean over classes"), columns(name))),
    element("tbody", {}, order.map((place) => element("tr", {}, element("th", { scope: "row" }, marker(series[place]), termed(group.rows[place].name, methodTerm(group.rows[place]))),
      [0, 1, 2].map((point) => element("td", {}, mean(place, point).toFixed(1))), [0, 1, 2].map((point) => element("td", {}, own(place, point)))))))), note].filter((one) => one);
}

function renderScores() {
  const place = document.getElementById("scores-shown");
  if (!place) return;
  const form = document.getElementById("score-filters").elements;
  const targets = Object.keys(data.datasets).filter((target) => withScores(target).length);
  fill(form.scoreset, targets.map((target) => [target, titleOf(target)]), view.scoreset);
  const target = form.scoreset.value;
  const names = unique(withScores(target).flatMap((group) => Object.keys(group.scores[target])));
  fill(form.scoreclass, names.map((name) => [name, name]), view.scoreclass);
  const name = form.scoreclass.value;
  place.replaceChildren(...withScores(target).flatMap((group) => {
    const series = seriesOf(group.rows);
    const panels = (group.scores[target][name] ?? []).map((stored, row) => (stored ? scorePanel(group, group.rows[row], series[row], stored, `${group.id}|${target}|${name}|${row}`) : null)).filter((one) => one);
    return [heading(group), ...passTable(group, target, name), element("div", { class: "figures scores" }, panels)];
  }));
}

function startScores() {
  const form = document.getElementById("score-filters");
  form?.addEventListener("input", (event) => change({ [event.target.name]: event.target.value }));
  form?.addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-alarms]")) {
    button.addEventListener("click", () => {
      const [target, name] = [form.elements.scoreset.value, form.elements.scoreclass.value];
      for (const group of withScores(target)) group.rows.forEach((_, row) => chosenThresholds.set(`${group.id}|${target}|${name}|${row}`, { point: Number(button.dataset.alarms) }));
      renderScores();
    });
  }
}
