"use strict";

// What is known becomes elements; no text ever becomes markup.

/** An element with attributes and children; texts stay texts, nothing is left out for `null`. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

const unseen = (text) => element("span", { class: "sr" }, text);

/** The options of a select, `[value, title]` each; the value stays where it may. */
function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, title]) => element("option", { value: key }, title)));
  select.value = options.some(([key]) => key === value) ? value : options[0]?.[0] ?? "";
}
