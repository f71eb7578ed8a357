// Before the first paint: the theme that was chosen here, if one was.
(function () {
  "use strict";
  try {
    const chosen = localStorage.getItem("recado-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();
