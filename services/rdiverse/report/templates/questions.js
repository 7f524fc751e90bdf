"use strict";
// Shows every question of the run. What a model wrote enters the page as text nodes only.
(async () => {
  const AT_ONCE = 12;
  const FILTERS = [
    ["iteration", "iteration", (row) => row.iteration],
    ["fate", "fate", (row) => row.fate],
    ["label", "label", (row) => row.label],
    ["cluster", "cluster", (row) => (row.cluster === undefined ? undefined : `${row.iteration}, number ${row.cluster}`)],
    ["failure", "SAM failure", (row) => row.failure],
    ["written", "written", (row) => (row.copies > 1 ? "more than once" : "once")],
  ];
  const ORDERS = {
    "as written": (a, b) => a.iteration - b.iteration || a.index - b.index,
    "most like the memory": (a, b) => b.p_map - a.p_map || b.p_rep - a.p_rep,
    "newest to the memory": (a, b) => (a.s_max ?? 2) - (b.s_max ?? 2) || a.p_rep - b.p_rep,
    "largest cluster": (a, b) => b.p_rep - a.p_rep || a.iteration - b.iteration || a.cluster - b.cluster,
    "most copies": (a, b) => b.copies - a.copies || (a.question < b.question ? -1 : 1),
  };

  const make = (tag, className, ...content) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...content);
    return made;
  };
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };

  const { fates, rows } = await unpack(document.getElementById("packed").textContent);
  for (const row of rows) {
    const facts = (row.facts ?? []).map((fact) => fact.join(" "));
    row.hay = [row.question, row.program, row.verdict, row.nearest, row.failure, ...facts].join("\n").toLowerCase();
  }
  const search = make("input");
  search.type = "search";
  const order = make("select");
  for (const name of Object.keys(ORDERS)) order.append(make("option", "", name));
  const selects = new Map();

  const controls = make("div", "filters", make("label", "wide-label", "search ", search));
  for (const [key, name, of] of FILTERS) {
    const counts = new Map();
    for (const row of rows) if (of(row) !== undefined) counts.set(of(row), (counts.get(of(row)) ?? 0) + 1);
    if (counts.size === 0) continue;
    const select = make("select", "", make("option", "", "all"));
    const largestFirst = key === "cluster" || key === "failure";
    for (const [value, count] of [...counts].sort((a, b) => (largestFirst && b[1] - a[1]) || (a[0] > b[0] ? 1 : -1))) {
      if (key === "cluster" && count === 1) continue;
      const name = key === "cluster" ? `iteration ${value}` : (fates[value] ?? value);
      const option = make("option", "", `${name} (${count.toLocaleString("en")})`);
      option.value = value;
      select.append(option);
    }
    select.firstChild.value = "";
    selects.set(key, [select, of]);
    controls.append(make("label", "", `${name} `, select));
  }
  controls.append(make("label", "", "order ", order));

  const count = make("p", "note");
  count.setAttribute("aria-live", "polite");
  const cards = make("div", "cards");
  const more = make("button", "more", "Show more");
  let found = [];

  const card = (row) => {
    const place = `iteration ${row.iteration}, number ${row.index}: ${fates[row.fate]}`;
    const made = make("article", `question ${row.label ?? ""}`, make("p", "place", place));
    const text = make("p", "text", row.question);
    text.dir = "auto";
    made.append(text);
    if (row.verdict) made.append(make("p", "verdict", row.verdict));
    if (row.program) made.append(make("pre", "", make("code", "", row.program)));
    if (row.nearest_note) {
      const quote = make("q", "", row.nearest ?? "");
      quote.dir = "auto";
      made.append(make("p", "nearest", `Nearest remembered (${row.nearest_note}) `, quote));
    }
    const facts = make("dl", "facts");
    for (const [name, value] of row.facts ?? []) facts.append(make("div", "", make("dt", "", name), make("dd", "", value)));
    made.append(facts);
    if (row.failure) made.append(make("p", "why", `SAM: ${row.failure}`));
    if (row.why) made.append(make("p", "why", row.why));
    if (row.copies > 1) made.append(make("p", "why", `Exactly this was written ${row.copies} times in this run.`));
    const [clusters, clusterOf] = selects.get("cluster") ?? [];
    if ([...(clusters?.options ?? [])].some((option) => option.value === clusterOf(row))) {
      const button = make("button", "", `all of cluster ${row.cluster}`);
      button.addEventListener("click", () => {
        clusters.value = clusterOf(row);
        show();
      });
      made.append(button);
    }
    return made;
  };
  const add = () => {
    const shown = cards.childElementCount;
    cards.append(...found.slice(shown, shown + AT_ONCE).map(card));
    more.hidden = cards.childElementCount >= found.length;
  };
  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    found = rows.filter(
      (row) =>
        row.hay.includes(wanted) &&
        [...selects.values()].every(([select, of]) => !select.value || String(of(row)) === select.value),
    );
    found.sort(ORDERS[order.value]);
    count.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} questions`;
    cards.replaceChildren();
    add();
  };

  search.addEventListener("input", show);
  for (const [select] of selects.values()) select.addEventListener("change", show);
  order.addEventListener("change", show);
  more.addEventListener("click", add);
  document.getElementById("every").replaceChildren(controls, count, cards, more);
  show();
})();
