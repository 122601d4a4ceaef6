// The button for the theme: light, dark or that of the system.

const THEMES = { "": "as the system", light: "light", dark: "dark" };

/** Start the button; the choice is stored where the browser allows storage for files. */
function startTheme() {
  const button = document.getElementById("theme");
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${THEMES[theme]}`;
  };
  const kept = () => { try { return localStorage.getItem("zsadbench-theme") ?? ""; } catch { return ""; } };
  const keep = (theme) => { try { localStorage.setItem("zsadbench-theme", theme); } catch { /* storage is not allowed */ } };
  show(kept() in THEMES ? kept() : "");
  button.hidden = false;
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const theme = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    show(theme);
    keep(theme);
  });
}
