// The page as a whole: printing, and rendering of all parts that depend on the view.

function render() {
  renderRankings();
  renderOverview();
  renderBoard();
  renderClasses();
  renderCurves();
  renderScores();
  renderBreakdowns();
  markOverflow();
}

let waiting = false;

/** Tables that are wider than their frame say that they scroll; measured once after the page was painted. */
function markOverflow() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => setTimeout(() => { waiting = false; measureOverflow(); }));
}

function measureOverflow() {
  for (const frame of document.querySelectorAll(".wide")) frame.toggleAttribute("data-more", frame.scrollWidth > frame.clientWidth + 1);
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
startTerms();
startRankings();
startBoard();
startExports();
startClasses();
startCurves();
startScores();
startBreakdowns();
addEventListener("resize", markOverflow);
document.addEventListener("toggle", markOverflow, true);
addEventListener("hashchange", () => { if (location.hash.includes("=")) { readView(); render(); } });
readView();
render();
