// The keys of the inbox (/dashboard/keys lists them). None works while somebody writes.
(function () {
  "use strict";

  const links = () => [...document.querySelectorAll("#inbox .people a")];
  let marked = ""; // the address of the conversation that is marked: the list is replaced now and then

  function place() {
    const found = links();
    const at = found.findIndex((link) => link.href === marked);
    return at >= 0 ? at : found.findIndex((link) => link.hasAttribute("aria-current"));
  }

  function move(by) {
    const found = links();
    if (!found.length) return;
    const at = place();
    const link = found[at < 0 ? 0 : Math.min(Math.max(at + by, 0), found.length - 1)];
    marked = link.href;
    link.focus();
  }

  const press = (id) => {
    const button = document.getElementById(id);
    if (button) button.click();
  };
  const focus = (id) => {
    const field = document.getElementById(id);
    if (field) field.focus();
  };

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    r: () => focus("text"),
    t: () => press("take"),
    h: () => press("hand-back"),
    "/": () => focus("seek"),
    "?": () => location.assign("/dashboard/keys"),
  };

  // The list is replaced when it changes. The conversation that is marked stays so.
  const list = document.getElementById("inbox");
  if (list) {
    new MutationObserver(() => {
      const link = links().find((each) => each.href === marked);
      if (link && document.activeElement === document.body) link.focus();
    }).observe(list, { childList: true, subtree: true });
    document.addEventListener("pointerdown", () => (marked = ""));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = keys[event.key];
    if (!act || !document.querySelector(".inbox")) return;
    event.preventDefault();
    act();
  });
})();
