// Methods × data sets as colours, and on how many data sets each method is better, equal or worse than each other.

/** The rows of a group in the order of its ranking; those that are not ranked follow. */
function rankedPlaces(group, rows) {
  const order = rankingOf(group, view.metric)?.rows.map(([place]) => place) ?? [];
  const at = (place) => { const found = order.indexOf(place); return found < 0 ? order.length : found; };
  return [...rows].sort((one, other) => at(one) - at(other));
}

function overviewTable(group, columns, rows) {
  const values = rows.flatMap((place) => columns.map((column) => valueOf(column.cells[place]))).filter((value) => !Number.isNaN(value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const cell = (one) => {
    const value = valueOf(one);
    const filled = Number.isNaN(value) ? null : `--share:${high > low ? ((value - low) / (high - low)).toFixed(2) : 1}`;
    return element("td", { class: filled ? "heat" : false, style: filled }, printed(one));
  };
  const series = seriesOf(group.rows);
  return element("table", { class: "overview", id: `overview-${group.id}` },
    element("caption", {}, `${titles.get(view.metric)}: the palest cell is ${low.toFixed(1)}, the fullest ${high.toFixed(1)}`),
    element("thead", {}, element("tr", {}, headed("method", "method"), columns.map((column) => headed(column.title, datasetTerm(column.target))))),
    element("tbody", {}, rows.map((place) => element("tr", {},
      element("th", { scope: "row" }, marker(series[place]), termed(group.rows[place].name, methodTerm(group.rows[place]))),
      columns.map((column) => cell(column.cells[place]))))));
}

/** `[better, equal, worse]` of two rows over the columns on which both have a comparable number. */
function duel(columns, one, other) {
  const counts = [0, 0, 0];
  for (const { cells } of columns) {
    const [left, right] = [cells[one], cells[other]];
    if (Number.isNaN(valueOf(left)) || Number.isNaN(valueOf(right)) || left[2] === "apart" || right[2] === "apart") continue;
    counts[1 - Math.sign(valueOf(left) - valueOf(right))] += 1;
  }
  return counts;
}

function duelTable(group, columns, rows) {
  const cell = (one, other) => {
    if (one === other) return element("td", { class: "self", "aria-label": "the same method" }, "·");
    const [better, equal, worse] = duel(columns, one, other);
    const sets = better + equal + worse;
    if (!sets) return element("td", {}, "–");
    return element("td", { class: "heat", style: `--share:${((better + equal / 2) / sets).toFixed(2)}` }, `${better} / ${equal} / ${worse}`);
  };
  const row = (place) => group.rows[place];
  return element("table", { class: "duels", id: `duels-${group.id}` },
    element("caption", {}, "Data sets on which the method of the row is ", termed("better / equal / worse", "win"), ` than that of the column, ${titles.get(view.metric)}`),
    element("thead", {}, element("tr", {}, headed("method", "method"), rows.map((place) => headed(row(place).name, methodTerm(row(place)))))),
    element("tbody", {}, rows.map((one) => element("tr", {}, element("th", { scope: "row" }, termed(row(one).name, methodTerm(row(one)))), rows.map((other) => cell(one, other))))));
}

function renderOverview() {
  const pictures = shownOnBoard().map(({ group, columns, rows }) => {
    const sets = columns.filter((column) => !column.summary && column.metric === view.metric);
    const kept = rankedPlaces(group, rows).filter((place) => sets.some((column) => column.cells[place]));
    if (!sets.length || !kept.length) return null;
    const tables = [wide(`Methods over data sets: ${group.title}`, overviewTable(group, sets, kept))];
    const compared = kept.some((one) => kept.some((other) => one !== other && duel(sets, one, other).some((count) => count)));
    if (compared) tables.push(wide(`Better, equal, worse: ${group.title}`, duelTable(group, sets, kept)));
    return [group, tables];
  }).filter((one) => one);
  document.getElementById("overviews").replaceChildren(...pictures.flatMap(([group, tables], place) => (
    place === 0 ? [heading(group), ...tables] : [element("details", { class: "tables" }, element("summary", {}, `${group.kind}: ${group.title}`), tables)])));
}
