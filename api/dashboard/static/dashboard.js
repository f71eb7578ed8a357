// What pages do beside htmx: the theme, and picking.
(function () {
  "use strict";

  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  document.getElementById("theme")?.addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
    root.dataset.theme = isDark ? "light" : "dark";
    try {
      localStorage.setItem("recado-theme", root.dataset.theme);
    } catch {
      // For this page, then.
    }
    document.dispatchEvent(new Event("recado:theme"));
  });
  dark.addEventListener("change", () => document.dispatchEvent(new Event("recado:theme")));

  const all = document.getElementById("pick-all");
  if (all) {
    const boxes = () => [...document.querySelectorAll('input[name="id"][type="checkbox"]')];
    const tell = () => {
      const picked = boxes().filter((box) => box.checked).length;
      document.getElementById("picked").textContent = picked || document.getElementById("picked").dataset.none;
      all.checked = picked > 0 && picked === boxes().length;
      all.indeterminate = picked > 0 && !all.checked;
    };
    all.addEventListener("change", () => {
      for (const box of boxes()) box.checked = all.checked;
      tell();
    });
    document.addEventListener("change", (event) => event.target.name === "id" && tell());
    tell();
  }
})();
