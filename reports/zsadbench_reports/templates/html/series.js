// Colour and marker of a method: twenty of each; no two methods of one view have the same.

/** The numbers of colour and marker of `rows`, in their order: each its own where it is free, else the next free one. */
function seriesOf(rows) {
  const count = data.markers.length;
  const taken = new Set();
  return rows.map((row) => {
    let number = row.series % count;
    for (let tries = 0; tries < count && taken.has(number); tries += 1) number = (number + 1) % count;
    taken.add(number);
    return number;
  });
}

function shape(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

/** The marker of a number, for a legend or a label of a row. */
function marker(number) {
  const drawn = shape("svg", { class: "marker", viewBox: "-1.15 -1.15 2.3 2.3", "aria-hidden": "true" });
  drawn.append(shape("path", { d: data.markers[number], style: `fill:var(--s${number})` }));
  return drawn;
}
