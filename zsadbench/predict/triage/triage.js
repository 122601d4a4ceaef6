"use strict";

const data = JSON.parse(document.getElementById("payload").textContent);
const byId = (id) => document.getElementById(id);
const form = byId("filters");
const PAGE = 60;
const BINS = 60;
const MARKS = ["defect", "fine", "unsure"];
const scores = data.images.map((image) => image.score);
const lowest = scores.length ? scores.reduce((a, b) => Math.min(a, b)) : 0;
const highest = scores.length ? scores.reduce((a, b) => Math.max(a, b)) : 1;
const span = highest - lowest || 1;
// the threshold of the call, else the highest score, above which there is no image
const initial = data.threshold ?? highest;

let threshold = initial;
let shown = PAGE;
let list = [];
let current = -1;

/** An element with attributes and children; strings become text nodes, never markup. */
function element(name, attributes = {}, ...children) {
  const made = name === "rect" || name === "line" ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

// Notes: {path: {mark, note}}, kept by the browser for this page.
const key = `zsadbench triage ${location.pathname}`;
let notes = {};
try { notes = JSON.parse(localStorage.getItem(key)) ?? {}; } catch { notes = {}; }
const noteOf = (image) => (Object.hasOwn(notes, image.path) ? notes[image.path] : { mark: "", note: "" });

function setNote(image, changes) {
  const changed = { ...noteOf(image), ...changes };
  if (changed.mark || changed.note) notes[image.path] = changed;
  else delete notes[image.path];
  try { localStorage.setItem(key, JSON.stringify(notes)); } catch { /* a browser that keeps nothing: export before leaving */ }
  for (const box of document.querySelectorAll(`.marks[data-rank="${image.rank}"]`)) showMarks(box, image);
  renderCount();
}

const digits = Math.max(0, 3 - Math.floor(Math.log10(span)));
const shownNumber = (value) => (digits > 8 ? value.toExponential(3) : value.toFixed(digits));
// above by more than rounding, as in scores.csv
const isAbove = (score) => score > threshold + 1e-6 * Math.abs(threshold);
const verdictOf = (image) => (isAbove(image.score) ? "anomalous" : "normal");

function chosen() {
  const { text, verdict, mark, folder, class: word, order } = Object.fromEntries(new FormData(form));
  const wanted = text.trim().toLowerCase();
  const found = data.images.filter((image) => {
    const own = noteOf(image);
    return (!wanted || `${image.name} ${own.note}`.toLowerCase().includes(wanted))
      && (!verdict || verdictOf(image) === verdict)
      && (!mark || (mark === "none" ? !own.mark : mark === "note" ? own.note : own.mark === mark))
      && (!folder || image.folder === folder.slice(1) || image.folder.startsWith(`${folder.slice(1)}/`))
      && (!word || image.class === word);
  });
  if (order === "last") found.reverse();
  if (order === "name") found.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return found;
}

function showMarks(box, image) {
  const own = noteOf(image);
  for (const button of box.querySelectorAll("button")) button.setAttribute("aria-pressed", String(own.mark === button.dataset.mark));
  const area = box.querySelector("textarea");
  if (area !== document.activeElement) area.value = own.note;
}

function marks(image) {
  const box = element("div", { class: "marks", "data-rank": image.rank },
    MARKS.map((mark) => element("button", { type: "button", class: "quiet", "data-mark": mark,
      onclick: () => setNote(image, { mark: noteOf(image).mark === mark ? "" : mark }) }, mark)),
    element("textarea", { rows: 1, "aria-label": `Note on ${image.name}`, placeholder: "note",
      oninput: (event) => setNote(image, { note: event.target.value }) }));
  showMarks(box, image);
  return box;
}

function facts(image) {
  const verdict = verdictOf(image);
  return element("div", { class: "facts" }, element("span", {}, `#${image.rank} `, element("b", {}, shownNumber(image.score))),
    element("span", { class: `verdict ${verdict}` }, verdict === "anomalous" ? "above threshold" : "not above"));
}

function card(image, place) {
  const [width, height] = image.size;
  const picture = image.small === null ? "no picture"
    : element("img", { src: image.small, alt: "", width: 2 * width, height, loading: "lazy", decoding: "async" });
  return element("li", { "data-rank": image.rank, class: place === current ? "current" : null, onfocusin: () => select(place, false) },
    element("button", { type: "button", class: "picture", "aria-label": `Enlarge ${image.name}: image and heat map`, onclick: () => { select(place, false); openZoom(); } }, picture),
    facts(image), element("div", { class: "name" }, image.name), marks(image));
}

function renderList() {
  list = chosen();
  current = Math.min(current, list.length - 1);
  byId("images").replaceChildren(...list.slice(0, shown).map(card));
  byId("more").hidden = list.length <= shown;
  const all = data.images.length;
  byId("status").textContent = `${list.length === all ? `${all} images` : `${list.length} of ${all} images`}${list.length > shown ? `, the first ${shown} shown` : ""}`;
}

/** Verdicts and counts follow the threshold; the list only where it is filtered by verdict. */
function renderThreshold() {
  const above = scores.filter(isAbove).length;
  const share = scores.length ? ` (${(100 * above / scores.length).toFixed(1)}%)` : "";
  byId("above").textContent = `${above} of ${scores.length} images above${share}`;
  byId("slider").value = Math.round(1000 * (threshold - lowest) / span);
  byId("slider").setAttribute("aria-valuetext", shownNumber(threshold));
  if (document.activeElement !== byId("number")) byId("number").value = String(Number(threshold.toPrecision(8)));
  const mark = byId("histogram").querySelector("line");
  const x = String(Math.min(599, Math.max(1, 600 * (threshold - lowest) / span)));
  mark.setAttribute("x1", x);
  mark.setAttribute("x2", x);
  if (form.elements.verdict.value) renderList();
  else for (const item of byId("images").children) item.querySelector(".facts").replaceWith(facts(data.images[item.dataset.rank - 1]));
}

function setThreshold(value) {
  if (!Number.isFinite(value)) return;
  threshold = value;
  renderThreshold();
}

/** Move the threshold so that one image more (`way` 1) or less is not above it. */
function stepThreshold(way) {
  const sorted = [...new Set(scores)].sort((a, b) => a - b);
  const next = way > 0 ? sorted.find((score) => score > threshold) : sorted.findLast((score) => score < threshold);
  if (next !== undefined) setThreshold(next);
}

function renderHistogram() {
  const counts = new Array(BINS).fill(0);
  for (const score of scores) counts[Math.min(BINS - 1, Math.floor(BINS * (score - lowest) / span))] += 1;
  const most = Math.max(1, ...counts);
  const wide = 600 / BINS;
  byId("histogram").replaceChildren(
    ...counts.map((count, bin) => element("rect", { x: bin * wide + 1, y: 60 - 58 * count / most, width: wide - 2, height: 58 * count / most, fill: "var(--strong-line)" })),
    element("line", { y1: 0, y2: 60, stroke: "var(--bad)", "stroke-width": 2, "vector-effect": "non-scaling-stroke" }));
  byId("lowest").textContent = shownNumber(lowest);
  byId("highest").textContent = shownNumber(highest);
}

function renderCount() {
  const marked = data.images.filter((image) => noteOf(image).mark || noteOf(image).note).length;
  const failed = data.failures.length;
  byId("count").textContent = `${data.images.length} images, strangest first${failed ? `; ${failed} could not be scored` : ""}${marked ? `; ${marked} with a mark or note` : ""}`;
}

function select(place, scroll = true) {
  if (!list.length) return;
  current = Math.max(0, Math.min(list.length - 1, place));
  while (current >= shown) { shown += PAGE; renderList(); }
  [...byId("images").children].forEach((item, index) => item.classList.toggle("current", index === current));
  if (scroll) byId("images").children[current].scrollIntoView({ block: "nearest" });
}

// The large view: the heat map at its full resolution, which the wheel, buttons and keys enlarge and dragging moves.
const zoom = byId("zoom");
const stage = byId("stage");
const place = { scale: 1, x: 0, y: 0, fit: 1 };
const move = () => { const picture = stage.querySelector("img"); if (picture) picture.style.transform = `translate(${place.x}px, ${place.y}px) scale(${place.scale})`; };

function fitZoom() {
  const picture = stage.querySelector("img");
  if (!picture?.naturalWidth) return;
  place.fit = Math.min(stage.clientWidth / picture.naturalWidth, stage.clientHeight / picture.naturalHeight);
  place.scale = place.fit;
  place.x = (stage.clientWidth - place.scale * picture.naturalWidth) / 2;
  place.y = (stage.clientHeight - place.scale * picture.naturalHeight) / 2;
  move();
}

function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const scale = Math.max(place.fit / 2, Math.min(Math.max(8, 8 * place.fit), place.scale * factor));
  place.x = x - (x - place.x) * scale / place.scale;
  place.y = y - (y - place.y) * scale / place.scale;
  place.scale = scale;
  move();
}

function openZoom() {
  const image = list[current];
  if (!image) return;
  byId("zoom-name").textContent = `#${image.rank} ${image.name}`;
  const box = image.box === null ? "" : `; strongest region from ${image.box[0]}, ${image.box[1]} to ${image.box[2]}, ${image.box[3]}, peak at ${image.peak[0]}, ${image.peak[1]}`;
  byId("zoom-facts").textContent = `score ${shownNumber(image.score)}, ${verdictOf(image) === "anomalous" ? "above" : "not above"} the threshold; map maximum ${image.highest.toPrecision(4)}; ${image.size[0]} × ${image.size[1]} pixels${box}`;
  stage.replaceChildren(image.map === null ? "no heat map" : element("img", { src: image.map, alt: `Heat map of ${image.name}`, draggable: "false", onload: fitZoom }));
  byId("zoom-marks").replaceChildren(marks(image));
  if (!zoom.open) zoom.showModal();
  if (document.activeElement?.tagName === "TEXTAREA") document.activeElement.blur();
}

function step(way) {
  select(current + way);
  if (zoom.open) openZoom();
}

const actions = { previous: () => step(-1), next: () => step(1), smaller: () => zoomBy(0.8), larger: () => zoomBy(1.25), fit: fitZoom, close: () => zoom.close() };
zoom.addEventListener("click", (event) => actions[event.target.closest("[data-do]")?.dataset.do]?.());
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const edge = stage.getBoundingClientRect();
  zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientX - edge.left, event.clientY - edge.top);
}, { passive: false });

const fingers = new Map();
stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); fingers.set(event.pointerId, event); });
stage.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  fingers.set(event.pointerId, event);
  if (fingers.size === 1) {
    place.x += event.clientX - before.clientX;
    place.y += event.clientY - before.clientY;
    move();
    return;
  }
  const other = [...fingers.values()].find((one) => one.pointerId !== event.pointerId);
  const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  const edge = stage.getBoundingClientRect();
  zoomBy(distance(event) / Math.max(1, distance(before)), other.clientX - edge.left, other.clientY - edge.top);
});
for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => fingers.delete(event.pointerId));

// Export: everything, in the order of rank, with marks and notes.
function cell(value) {
  let text = String(value ?? "");
  if (typeof value === "string" && /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text)) text = `'${text}`; // no formula
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function exportNotes() {
  const head = ["rank", "path", "score", "verdict", "threshold", "mark", "note"];
  const rows = data.images.map((image) => {
    const own = noteOf(image);
    return [image.rank, image.path, image.score, verdictOf(image), threshold, own.mark, own.note];
  });
  const text = [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
  const link = element("a", { href: URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv" })), download: "triage.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

const mark = (value) => () => { if (list[current]) setNote(list[current], { mark: value }); };
const keys = {
  j: () => step(1), ArrowDown: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowUp: () => step(-1), ArrowLeft: () => step(-1),
  d: mark("defect"), f: mark("fine"), u: mark("unsure"), x: mark(""),
  "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: fitZoom,
  "[": () => stepThreshold(-1), "]": () => stepThreshold(1), e: exportNotes,
  n: () => (zoom.open ? byId("zoom-marks") : byId("images").children[current])?.querySelector("textarea").focus(),
  "/": () => { if (!zoom.open) form.elements.text.focus(); },
  "?": () => byId("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const target = event.target;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) {
    if (event.key === "Escape") { target.blur(); event.preventDefault(); }
    return;
  }
  if (event.key === "Enter" && target.tagName !== "BUTTON" && target.tagName !== "SUMMARY" && target.tagName !== "A") { if (current < 0) select(0); openZoom(); return; }
  const act = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
  if (act) { event.preventDefault(); act(); }
});

byId("slider").addEventListener("input", (event) => setThreshold(lowest + span * event.target.value / 1000));
byId("number").addEventListener("input", (event) => { if (event.target.value !== "") setThreshold(Number(event.target.value)); });
byId("reset").addEventListener("click", () => setThreshold(initial));
byId("export").addEventListener("click", exportNotes);
byId("keys").addEventListener("click", () => byId("help").showModal());
byId("more").addEventListener("click", () => { shown += PAGE; renderList(); });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => { shown = PAGE; current = -1; renderList(); });
addEventListener("resize", () => { if (zoom.open) fitZoom(); });

/** Fill a choice of values, with a prefix so that an empty value is one; hide it where there is nothing to choose. */
function choices(select, values, prefix) {
  select.replaceChildren(element("option", { value: "" }, "all"), ...values.map((value) => element("option", { value: prefix + value }, value || "(top)")));
  select.closest("label").hidden = values.length < 2;
}
const unique = (values) => [...new Set(values)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
choices(form.elements.folder, unique(data.images.map((image) => image.folder)), "/");
choices(form.elements.class, unique(data.images.map((image) => image.class)), "");
byId("failures").hidden = data.failures.length === 0;
byId("failures").querySelector("summary").textContent = `${data.failures.length} images could not be scored`;
byId("failures").querySelector("ul").replaceChildren(...data.failures.map((one) => element("li", {}, one.failure)));
renderHistogram();
renderCount();
renderList();
renderThreshold();
