// Light, dark or as the system: one button, on every page.

const THEMES = { "": "as the system", light: "light", dark: "dark" };

/** Light, dark or as the system; remembered where the browser lets a file remember. */
function startTheme() {
  const button = document.getElementById("theme");
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${THEMES[theme]}`;
  };
  const kept = () => { try { return localStorage.getItem("zsadbench-theme") ?? ""; } catch { return ""; } };
  const keep = (theme) => { try { localStorage.setItem("zsadbench-theme", theme); } catch { /* a file may not */ } };
  show(kept() in THEMES ? kept() : "");
  button.hidden = false;
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const theme = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    show(theme);
    keep(theme);
  });
}
