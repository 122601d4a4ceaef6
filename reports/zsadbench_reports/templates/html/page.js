// The page as a whole: printing, and one rendering of everything that the view decides.

function render() {
  renderBoard();
  renderClasses();
  renderCurves();
  renderBreakdowns();
}

/** Paper cannot unfold: how numbers were made is printed with them; folded tables stay folded. */
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
