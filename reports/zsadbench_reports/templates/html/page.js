// The page as a whole: printing, and rendering of all parts that depend on the view.

function render() {
  renderBoard();
  renderClasses();
  renderCurves();
  renderBreakdowns();
}

/** Unfold the notes below tables for printing; folded tables stay folded. */
function startPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.how:not([open])")];
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
}

startTheme();
startPrinting();
startBoard();
startClasses();
startCurves();
startBreakdowns();
addEventListener("hashchange", () => { if (location.hash.includes("=")) { readView(); render(); } });
readView();
render();
