// The page as a whole: printing, and one rendering of everything that the view decides.

function render() {
  renderBoard();
  renderClasses();
  renderCurves();
  renderBreakdowns();
}

/** Paper cannot unfold: everything is open while it prints. */
function startPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open]):not(.sets)")];
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
