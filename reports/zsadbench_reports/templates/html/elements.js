"use strict";

// Elements of the page; texts are never parsed as markup.

/** An element with attributes and children; strings become text nodes, `null` is skipped. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(2).filter((child) => child !== null));
  return made;
}

const unseen = (text) => element("span", { class: "sr" }, text);

/** Fill a select with options `[value, title]` and choose `value` if it is one of them, else the first. */
function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, title]) => element("option", { value: key }, title)));
  select.value = options.some(([key]) => key === value) ? value : options[0]?.[0] ?? "";
}
