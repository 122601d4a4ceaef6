// Explanations: every metric, mark, column, protocol, method and data set shows its entry of the glossary on hover and focus.

const entryOf = (term) => document.getElementById(`term-${term}`);

/** The text of an entry of the glossary. */
function explained(term) {
  const entry = entryOf(term);
  return entry ? `${entry.querySelector("dt").textContent}: ${entry.querySelector("dd p").textContent}` : "";
}

/** A word with an explanation: a link to its entry, or plain text where there is none. */
const termed = (content, term) => (entryOf(term) ? element("a", { class: "term", href: `#term-${term}`, "data-term": term }, content) : content);

/** A heading with an explanation. */
const headed = (content, term, attributes = {}) => element("th", { scope: "col", ...attributes }, termed(content, term));

const methodTerm = (row) => data.methods[row.method]?.term;
const datasetTerm = (target) => data.datasets[target]?.term;

function startTerms() {
  const tip = element("div", { id: "tip", role: "tooltip", hidden: true });
  document.body.append(tip);
  let shown = null;
  const hide = () => { shown?.removeAttribute("aria-describedby"); shown = null; tip.hidden = true; };
  const show = (event) => {
    const at = event.target.closest?.("[data-term]");
    if (!at) return;
    const text = explained(at.dataset.term);
    if (!text) return;
    hide();
    shown = at;
    tip.textContent = text;
    tip.hidden = false;
    if (event.type === "focusin") at.setAttribute("aria-describedby", "tip");
    const box = at.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(box.left, wide - tip.offsetWidth - 8));
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 0 ? above : box.bottom + 6) + scrollY}px`;
  };
  document.addEventListener("mouseover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("mouseout", (event) => { if (shown && event.target.closest?.("[data-term]") === shown && !shown.contains(event.relatedTarget)) hide(); });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}
