// Times are written in UTC, for pages without scripts. Here they become those of the browser's zone.
(function () {
  "use strict";

  const said = document.getElementById("zone");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || said?.dataset.unknown;
  const isBrazilian = document.documentElement.lang === "pt-BR"; // as api/dashboard/language/languages.py has it
  const two = (number) => String(number).padStart(2, "0");
  const dayOf = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const clock = (at) => `${two(at.getHours())}:${two(at.getMinutes())}`;
  const shown = (day) => (isBrazilian ? day.split("-").reverse().join("/") : day);
  const inFull = (at) => `${shown(dayOf(at))} ${clock(at)}:${two(at.getSeconds())}`;

  function localize(time) {
    const at = new Date(time.dateTime);
    if (time.dateTime.length < 12 || Number.isNaN(at.getTime())) return; // a day, and no time
    if (time.title) time.title = `${inFull(at)}, ${zone}`;
    if (/^\d\d:\d\d$/.test(time.textContent)) time.textContent = clock(at);
    else if (/UTC$/.test(time.textContent)) time.textContent = inFull(at);
    time.dataset.local = "yes";
  }

  // Days begin at another time here.
  function divide(thread) {
    const pattern = thread.querySelector(".day");
    if (!pattern || thread.dataset.divided) return;
    thread.dataset.divided = "yes";
    for (const line of thread.querySelectorAll(".day")) line.remove();
    let before = "";
    for (const bubble of thread.querySelectorAll(".bubble")) {
      const day = dayOf(new Date(bubble.querySelector(".meta time").dateTime));
      if (day !== before) {
        const line = pattern.cloneNode(true);
        line.querySelector("time").dateTime = day;
        line.querySelector("time").textContent = shown(day);
        bubble.before(line);
      }
      before = day;
    }
  }

  function all() {
    for (const time of document.querySelectorAll("time[datetime]:not([data-local])")) localize(time);
    for (const thread of document.querySelectorAll(".thread")) divide(thread);
    for (const field of document.querySelectorAll("[data-offset]")) field.value = new Date().getTimezoneOffset();
  }

  if (said) said.textContent = said.dataset.words.replace("*", () => zone.replaceAll("_", " "));
  all();
  new MutationObserver(all).observe(document.getElementById("main"), { childList: true, subtree: true });
})();
