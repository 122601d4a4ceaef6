// The ranking of every comparability group: means over common data sets with the ranks that the data allow.

/** The ranking of a group by `metric` for the chosen domain, or undefined. */
function rankingOf(group, metric) {
  const byDomain = group.rankings?.[keyOf(group, metric)];
  const domains = unique(group.targets.map(domainOf));
  return byDomain?.[domains.length === 1 && view.domain === domains[0] ? "" : view.domain];
}

/** Links to the paper and the code of a method, after its venue. */
function origin(row) {
  const { venue, paper, code } = data.methods[row.method] ?? {};
  const link = (title, url) => (url ? [" · ", element("a", { href: url, rel: "noreferrer" }, title)] : []);
  return element("small", { class: "tag" }, venue || "", link("paper", paper), link("code", code));
}

/** A method as the heading of a row: marker, name with explanation, venue and links. */
const methodHeading = (row, number) => element("th", { scope: "row" }, number === undefined ? null : marker(number),
  termed(row.name, methodTerm(row)), origin(row));

/** One sentence: which method is best, and which ones the data do not tell apart from it. */
function answer(group, ranking, metric) {
  const name = (place) => group.rows[place].name;
  const firsts = ranking.rows.filter(([, rank]) => rank === 1).map(([place]) => name(place));
  const others = ranking.rivals.map(name).filter((one) => !firsts.includes(one));
  const [, , mean] = ranking.rows[0];
  const sets = ranking.sets.length === 1 ? `on ${titleOf(ranking.sets[0])}` : `on average over ${ranking.sets.length} data sets`;
  const best = `${firsts.join(" and ")} ${firsts.length > 1 ? "have" : "has"} the best ${titles.get(metric)}: ${mean} ${sets}.`;
  if (ranking.rows.length < 2) return [element("strong", {}, `${name(ranking.rows[0][0])} has ${titles.get(metric)} ${mean} ${sets}.`)];
  const doubt = !ranking.tested ? " Too few data sets for a test: any order is possible."
    : others.length ? ` The data do not tell it apart from ${others.join(", ")}.` : firsts.length > 1 ? "" : " It is significantly better than all others.";
  return [element("strong", {}, best), doubt];
}

function rankingTable(group, ranking, metric) {
  const others = data.metrics.map(([name]) => name).filter((name) => keyOf(group, name) !== keyOf(group, metric))
    .map((name) => ({ name, ranking: rankingOf(group, name) })).filter((one) => one.ranking)
    .filter((one, place, all) => all.findIndex((other) => keyOf(group, other.name) === keyOf(group, one.name)) === place);
  const series = seriesOf(group.rows);
  const meanOf = (one, place) => one.rows.find(([at]) => at === place)?.[2];
  const best = (one, place) => {
    const value = meanOf(one, place);
    const top = one.rows[0][2];
    return value === undefined ? "–" : value === top && one.rows.some((row) => row[2] !== top) ? element("strong", {}, value, unseen(" best")) : value;
  };
  const sets = (one) => element("small", { class: "tag" }, `mean of ${one.sets.length}`);
  const head = element("tr", {}, headed("rank", "rank", { class: "place" }), headed("method", "method", { class: "name" }),
    headed([titles.get(keyOf(group, metric)), sets(ranking)], keyOf(group, metric)), headed("possible ranks", "interval"),
    others.map((one) => headed([titles.get(keyOf(group, one.name)), sets(one.ranking)], keyOf(group, one.name))));
  const line = ([place, rank, , low, high]) => element("tr", {}, element("td", { class: "place" }, String(rank)),
    methodHeading(group.rows[place], series[place]), element("td", {}, best(ranking, place)),
    element("td", {}, low === high ? String(low) : `${low}–${high}`), others.map((one) => element("td", {}, best(one.ranking, place))));
  const left = ([place, reason]) => element("tr", { class: "left" }, element("td", { class: "place" }, "–"),
    methodHeading(group.rows[place], series[place]), element("td", { class: "words", colspan: 2 }, `not ranked: ${reason}`),
    others.map((one) => element("td", {}, best(one.ranking, place))));
  return element("table", { class: "ranking", id: `ranking-${group.id}` },
    element("caption", { class: "sr" }, `Ranking by ${titles.get(metric)}, ${group.title}`),
    element("thead", {}, head), element("tbody", {}, ranking.rows.map(line), ranking.left.map(left)));
}

function groupRanking(group, ranking, metric) {
  const names = element("details", { class: "how" }, element("summary", {}, ranking.sets.length === 1 ? "The common data set, and what is compared" : `The ${ranking.sets.length} common data sets, and what is compared`),
    element("p", {}, ranking.sets.map((target, place) => [place ? ", " : "", termed(titleOf(target), datasetTerm(target))]).flat(), "."),
    element("p", {}, `Measured: ${group.title}. Only methods with the same protocol, backbone and number of support images are ranked together.`));
  return [element("p", { class: "answer" }, answer(group, ranking, metric)),
    wide(`Ranking: ${group.title}`, rankingTable(group, ranking, metric)), names];
}

function renderRankings() {
  const place = document.getElementById("rankings");
  if (!place) return;
  const form = document.getElementById("ranking-filters").elements;
  const measured = data.groups.filter((group) => group.rankings);
  const known = data.metrics.filter(([metric]) => measured.some((group) => group.rankings[keyOf(group, metric)]));
  fill(form.metric, known.some(([metric]) => metric === view.metric) ? known : [[view.metric, titles.get(view.metric)], ...known], view.metric);
  const domains = unique(measured.flatMap((group) => group.targets.map(domainOf)));
  fill(form.domain, [["", domains.length > 1 ? "all domains" : "all"], ...domains.map((name) => [name, name])], view.domain);
  const shown = measured.map((group) => [group, rankingOf(group, view.metric)]).filter(([, ranking]) => ranking);
  const several = shown.length > 1;
  place.replaceChildren(...(shown.length ? shown.flatMap(([group, ranking]) => [...(several ? [heading(group)] : []), ...groupRanking(group, ranking, view.metric)])
    : [element("p", { class: "note" }, "No measured number fits this metric and domain.")]));
}

function startRankings() {
  const form = document.getElementById("ranking-filters");
  form?.addEventListener("input", (event) => change({ [event.target.name]: event.target.value }));
  form?.addEventListener("submit", (event) => event.preventDefault());
}
