// The list of images: filters, order, and the view in the address.
const data = JSON.parse(document.getElementById("payload").textContent);
const form = document.getElementById("filters");
const PAGE = 60;

const worst = (values) => values.reduce((most, one) => (one === null || one === undefined ? most : Math.max(most, one)), -1);
const wrong = (found) => found.error ?? found.missed;

/** The result of the method that is most wrong, and of its equals that with the highest (`way` 1) or lowest score and map. */
const extreme = (found, way) => [...found].sort((a, b) => (b.error ?? -1) - (a.error ?? -1) || way * (b.score - a.score) || way * ((b.peak ?? 0) - (a.peak ?? 0)))[0];
const tie = (way) => (found) => { const one = extreme(found, way); return one ? [way * one.score, way * (one.peak ?? 0)] : [0, 0]; };

/**
 * The orders: title, whether an image belongs to it, a height from the methods' results by which images are sorted, and
 * what decides between equal heights: score, then maximum of the map.
 */
const ORDERS = {
  positives: ["worst false positives", (image) => image.label === 0, (found) => worst(found.map((one) => one.error)), tie(1)],
  misses: ["worst misses", (image) => image.label === 1, (found) => worst(found.map((one) => one.error)), tie(-1)],
  area: ["largest missed area", (image) => image.label === 1, (found) => worst(found.map((one) => one.missed))],
  disagreement: ["disagreement between methods", () => true, (found) => {
    const known = found.map(wrong).filter((one) => one !== null);
    return known.length > 1 ? Math.max(...known) - Math.min(...known) : -1;
  }],
  normal: ["all normal images, by path", (image) => image.label === 0, () => 0],
  anomalous: ["all anomalous images, by path", (image) => image.label === 1, () => 0],
};

const defaults = { set: data.sections[0].slug, order: "", method: "", class: "", defect: "", pattern: "", image: "" };
const view = { ...defaults };
let shown = PAGE;

const section = () => data.sections.find((one) => one.slug === view.set) ?? data.sections[0];
const named = (one) => `${one.title}: ${one.protocol}, ${one.backbone}`;
const unique = (values) => [...new Set(values)].sort((a, b) => a.localeCompare(b, "en"));
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;

/** Read the view from the address; what it does not contain gets its default. */
function readView() {
  const asked = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  for (const key of Object.keys(defaults)) view[key] = asked.get(key) ?? defaults[key];
}

function fragment() {
  const chosen = Object.entries(view).filter(([key, value]) => value !== defaults[key]);
  return chosen.length ? `#${new URLSearchParams(chosen)}` : "#examples";
}

/** The results of the chosen methods on an image; methods that have not evaluated it are left out. */
function foundOn(image) {
  const names = section().runs.map((run) => run.name);
  return image.found.filter((one, place) => one !== null && (view.method === "" || names[place] === view.method));
}

/** The orders that have an image in this section. */
function orders() {
  return Object.entries(ORDERS).filter(([, [, belongs, height]]) =>
    section().images.some((image) => belongs(image) && height(foundOn(image)) >= 0));
}

function chosen() {
  const [, belongs, height, between = () => [0, 0]] = ORDERS[view.order];
  const wanted = (image) => belongs(image)
    && (view.class === "" || image.class === view.class)
    && (view.defect === "" || image.defect === view.defect)
    && (view.pattern === "" || foundOn(image).some((one) => one.tags.includes(view.pattern)));
  return section().images.filter(wanted)
    .map((image, place) => ({ image, place, height: height(foundOn(image)), ties: between(foundOn(image)) }))
    .filter((one) => one.height >= 0)
    .sort((a, b) => b.height - a.height || b.ties[0] - a.ties[0] || b.ties[1] - a.ties[1] || a.place - b.place)
    .map((one) => one.image);
}

function picture(saved, alternative) {
  if (saved === null) return element("div", { class: "none" }, "not found");
  const [path, width, height] = saved;
  const source = path.split("/").map(encodeURIComponent).join("/");
  return element("img", { src: source, width, height, alt: alternative, loading: "lazy", decoding: "async" });
}

/** A picture that opens the large view of its image. */
const zoomable = (image, shown) => (shown.tagName === "IMG" ? element("button", { type: "button", class: "zoom", "aria-label": `${shown.alt}: enlarge`, onclick: () => change({ image: image.path }) }, shown) : shown);

/** The large view of one image: the image and all maps, side by side. */
function renderZoom() {
  const dialog = document.getElementById("zoom");
  const image = section().images.find((one) => one.path === view.image);
  if (!image) { if (dialog.open) dialog.close(); return; }
  const kind = image.label ? `anomalous: ${image.defect}` : "normal";
  const large = (saved, name, words) => element("figure", {}, picture(saved, name), element("figcaption", {}, element("b", {}, name), words ? [element("br"), words] : []));
  const maps = section().runs.map((run, place) => (image.found[place] ? large(image.found[place].map, run.name, verdict(image, image.found[place])) : null));
  dialog.replaceChildren(element("form", { method: "dialog" }, element("button", { class: "quiet" }, "Close")), element("h2", {}, image.path), element("p", {}, `${image.class}, ${kind}. `, element("a", { href: fragment() }, "Link to this image")),
    element("div", { class: "pictures" }, large(image.picture, "image", ""), maps));
  if (!dialog.open) dialog.showModal();
}

function verdict(image, found) {
  const parts = [`score ${found.score}`];
  if (found.error !== null) {
    parts.push(image.label ? `below ${percent(found.error)} of normal images` : `above ${percent(found.error)} of anomalous images`);
  }
  if (found.missed !== null) parts.push(`${percent(found.missed)} of the defect missed`);
  return parts.join("; ");
}

function mapOf(image, run, found) {
  if (found === null) return null;
  const tags = found.tags.map((tag) => element("span", { class: "pattern" }, tag));
  return element("figure", {}, zoomable(image, picture(found.map, `Map of ${run.name}`)),
    element("figcaption", {}, element("b", {}, run.name), element("br"), verdict(image, found), tags.length ? element("div", {}, tags) : null));
}

function item(image) {
  const kind = image.label ? `anomalous: ${image.defect}` : "normal";
  const maps = section().runs.map((run, place) => (view.method === "" || run.name === view.method ? mapOf(image, run, image.found[place]) : null));
  return element("li", {},
    element("h3", {}, element("a", { href: `#${new URLSearchParams([["set", view.set], ["image", image.path]])}` }, image.path)),
    element("p", {}, `${image.class}, `, element("span", { class: "kind" }, kind)),
    element("div", { class: "pictures" },
      element("figure", {}, zoomable(image, picture(image.picture, image.label ? "Image with the contour of its mask" : "Image")),
        element("figcaption", {}, element("b", {}, "image"))),
      maps));
}

function renderControls() {
  const current = section();
  const all = (title, values) => [["", title], ...values.map((value) => [value, value])];
  const of = (key) => unique(current.images.map((image) => image[key]));
  fill(form.elements.set, data.sections.map((one) => [one.slug, named(one)]), view.set);
  fill(form.elements.method, all("all methods", current.runs.map((run) => run.name)), view.method);
  fill(form.elements.class, all("all classes", of("class")), view.class);
  fill(form.elements.defect, all("all defects", of("defect")), view.defect);
  fill(form.elements.pattern, all("with or without", data.patterns), view.pattern);
  for (const key of ["set", "method", "class", "defect", "pattern"]) view[key] = form.elements[key].value;
  fill(form.elements.order, orders().map(([key, [title]]) => [key, title]), view.order);
  view.order = form.elements.order.value;
}

/** One line per reason why methods are not comparable. */
function apart(runs) {
  return unique(runs.map((run) => run.apart)).filter((reason) => reason !== "").map((reason) =>
    `not comparable: ${runs.filter((run) => run.apart === reason).map((run) => run.name).join(", ")} (${reason})`);
}

function renderAbout() {
  const current = section();
  const notes = [...current.notes, ...apart(current.runs)];
  if (current.examined < current.total) notes.push(`maps of ${current.examined} of ${current.total} images were measured`);
  document.getElementById("about").textContent =
    `${named(current)}. ${current.images.length} of ${current.total} images, ${current.runs.length === 1 ? "one method" : `${current.runs.length} methods`}.`;
  document.getElementById("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
  const head = ["method", "usual", "1% higher", "red", "from", "signature"];
  document.getElementById("runs").replaceChildren(element("caption", {}, "Runs and the map values of their scales"),
    element("thead", {}, element("tr", {}, head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, current.runs.map((run) => element("tr", {}, element("th", { scope: "row" }, run.name),
      run.levels.map((value) => element("td", {}, String(value))),
      [run.source, run.signature].map((text) => element("td", { class: "words" }, text))))));
}

function render() {
  renderControls();
  renderAbout();
  const images = view.order === "" ? [] : chosen();
  document.getElementById("status").textContent = `${images.length} images${images.length > shown ? `, the first ${shown} shown` : ""}`;
  const list = document.getElementById("examples");
  list.style.setProperty("--row", `${16 * (1 + (view.method === "" ? section().runs.length : 1))}rem`);
  list.replaceChildren(...images.slice(0, shown).map(item));
  document.getElementById("more").hidden = images.length <= shown;
  document.getElementById("permalink").href = fragment();
}

/** Apply `changes` to the view, the page and the address; the large view leaves the list below as it is. */
function change(changes) {
  Object.assign(view, changes);
  if (Object.keys(changes).join() !== "image") {
    shown = PAGE;
    render();
  }
  renderZoom();
  history.replaceState(null, "", fragment());
}

startTheme();
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  const { name, value } = event.target;
  change(name === "set" ? { ...defaults, set: value } : { [name]: value });
});
document.getElementById("reset").addEventListener("click", () => change({ ...defaults, set: view.set }));
document.getElementById("more").addEventListener("click", () => { shown += PAGE; render(); });
document.getElementById("zoom").addEventListener("close", () => { if (view.image) change({ image: "" }); });
addEventListener("hashchange", () => { if (location.hash.includes("=")) { readView(); shown = PAGE; render(); renderZoom(); } });
readView();
render();
renderZoom();
