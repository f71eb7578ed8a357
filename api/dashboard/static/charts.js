// The last hour as lines: fetched once, then a point with each event.
(function () {
  "use strict";

  const HOUR_S = 3600;
  const LEAST_S = 120; // an axis shows no less
  const places = [...document.querySelectorAll("[data-chart]")];
  const charts = new Map();
  let columns = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (value, digits = 1) => value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: value >= 100 ? 0 : digits });

  // How each kind of figure is written, and the least that its axis shows.
  const KINDS = {
    rate: { text: (value) => number(value), least: 1 },
    wait: { text: (value) => (value < 1 ? `${number(value * 1000, 0)} ms` : `${number(value)} s`), least: 0.1 },
    count: { text: (value) => number(value, 0), least: 5 },
  };
  const tick = (value) => (value >= 1000 ? `${number(value / 1000)}k` : number(value, 3));

  function options(place, fields) {
    const colours = [colour("--accent"), colour("--second")];
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: `12px ${colour("--sans")}`,
    };
    return {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      cursor: { y: false, points: { size: 7 } },
      scales: {
        x: { range: (_, low, high) => [Math.min(low, high - LEAST_S), high] },
        y: { range: (_, low, high) => [0, Math.max((high || 0) * 1.1, KINDS[place.dataset.kind].least)] },
      },
      axes: [
        { ...axis, size: 28, space: 70, values: [[60, "{HH}:{mm}", null, null, null, null, null, null, 0], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 0]] },
        { ...axis, size: 44, space: 40, values: (_, ticks) => ticks.map(tick) },
      ],
      series: [
        {},
        ...fields.map((field, at) => ({
          label: field,
          stroke: colours[at],
          width: 2,
          fill: fields.length === 1 ? colours[at] + "22" : undefined,
          points: { show: false },
          spanGaps: false,
        })),
      ],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
      hooks: { setCursor: [(chart) => read(place, fields, chart.cursor.idx)] },
    };
  }

  // The figure beside the title: that under the pointer, or else the newest.
  function read(place, fields, index) {
    const now = place.closest("figure").querySelector("[data-now]");
    now.dataset.otherwise ??= now.textContent;
    const at = index ?? columns.at_s.length - 1;
    const values = fields.map((field) => columns[field][at]);
    const known = at >= 0 && values.every((value) => value !== null);
    const words = () => place.dataset.words.split(",").map((text, which) => text.replace("*", () => KINDS[place.dataset.kind].text(values[which])));
    now.textContent = known ? words().join(" · ") + (index == null ? "" : clock(columns.at_s[at])) : now.dataset.otherwise;
  }

  const clock = (at) => " " + document.querySelector("[data-at]").dataset.at.replace("*", new Date(at * 1000).toISOString().slice(11, 19));

  function draw(place) {
    const fields = place.dataset.chart.split(",");
    const has = fields.some((field) => columns[field].some((value) => value !== null));
    charts.get(place)?.destroy();
    charts.delete(place);
    place.textContent = has ? "" : place.dataset.empty;
    place.classList.toggle("nothing", !has);
    if (!has) return;
    const data = [columns.at_s, ...fields.map((field) => columns[field])];
    charts.set(place, new uPlot(options(place, fields), data, place));
    read(place, fields, null);
  }

  function add(sample) {
    const newest = columns.at_s[columns.at_s.length - 1] ?? 0;
    if (!(sample.at_s[0] > newest)) return;
    for (const name of Object.keys(columns)) columns[name].push(sample[name][0]);
    while (columns.at_s[0] < sample.at_s[0] - HOUR_S) for (const name of Object.keys(columns)) columns[name].shift();
    for (const place of places) {
      const chart = charts.get(place);
      if (!chart) {
        draw(place);
        continue;
      }
      const fields = place.dataset.chart.split(",");
      chart.setData([columns.at_s, ...fields.map((field) => columns[field])]);
      read(place, fields, chart.cursor.idx);
    }
  }

  async function load() {
    const answer = await fetch("/dashboard/history", { credentials: "same-origin" });
    if (!answer.ok) return;
    columns = await answer.json();
    places.forEach(draw);
  }

  document.addEventListener("htmx:sseMessage", (event) => {
    if (columns && event.detail.type === "sample") add(JSON.parse(event.detail.data));
  });
  document.addEventListener("recado:theme", () => columns && places.forEach(draw));
  document.addEventListener("visibilitychange", () => !document.hidden && load());
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      charts.get(target)?.setSize({ width: target.clientWidth, height: target.clientHeight });
    }
  });
  for (const place of places) sizes.observe(place);
  load();
})();
