// Colours of the page, light or dark, from JupyterLab's variables; elsewhere from the system.

const variable = (style, name, fallback) => style.getPropertyValue(name).trim() || fallback;

export function isDark() {
  const said = document.body.dataset.jpThemeLight;
  if (said) return said === "false";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** {dark, background, text, muted, grid, font}: colours as CSS text. */
export function readTheme(el = document.body) {
  const dark = isDark();
  const style = getComputedStyle(el);
  return {
    dark,
    background: variable(style, "--jp-layout-color0", dark ? "#111111" : "#ffffff"),
    text: variable(style, "--jp-ui-font-color0", dark ? "#f5f5f5" : "#1f1f1f"),
    muted: variable(style, "--jp-ui-font-color1", dark ? "#d0d0d0" : "#4a4a4a"),
    grid: dark ? "rgba(255, 255, 255, 0.14)" : "rgba(0, 0, 0, 0.1)",
    font: variable(style, "--jp-ui-font-family", "system-ui, sans-serif"),
  };
}

/** Call `fn(theme)` at each change of theme; returns what ends it. */
export function watchTheme(el, fn) {
  const tell = () => fn(readTheme(el));
  const observer = new MutationObserver(tell);
  const attributes = ["data-jp-theme-light", "data-jp-theme-name"];
  observer.observe(document.body, { attributes: true, attributeFilter: attributes });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", tell);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", tell);
  };
}
