// Tables that are sorted by their headers, filtered by words, and shown in parts where they are long.
const SHOWN = 50;
const tablesForm = () => $("#tables").dataset.form;

// What a cell is sorted by: of the paper's tables the number of the chosen form, else its words.
function sortKey(cell) {
  if (cell.dataset.p !== undefined) {
    const { p, o } = cell.dataset;
    if (p === "" && o === "") return null;
    const anyOurs = [...cell.closest("tbody, table").querySelectorAll(`td:nth-child(${cell.cellIndex + 1})`)]
      .some(other => other.dataset.o);
    const text = tablesForm() === "printed" || (tablesForm() === "both" && !anyOurs) ? p : o;
    return text === "" ? null : parseFloat(text);
  }
  return wordKey(cell.textContent);
}

function wordKey(text) {
  const plain = text.trim();
  if (plain === "" || plain === "–") return null;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? parseFloat(plain) : plain.toLowerCase();
}

function compare(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return direction * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

// `records` are {row(): the <tr>, key(column), text}; without them they are read from the table.
function sheet(table, { label = table.dataset.label, records = fromRows(table), tools = [], always = false } = {}) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const state = { column: null, direction: 1, words: "", all: false };
  const count = h("span", { class: "count", role: "status" });
  const more = h("button", { type: "button", class: "more", onclick: () => { state.all = true; draw(); } });
  const filter = h("input", { type: "search", "aria-label": `Filter ${label}`, placeholder: "words…", size: 14,
    oninput: () => { state.words = filter.value.toLowerCase(); draw(); } });
  const onPaper = h("p", { class: "onpaper muted" });
  const draw = () => {
    const wanted = state.words.split(/\s+/).filter(Boolean);
    let found = records.filter(r => wanted.every(word => r.text.includes(word)));
    if (state.column !== null) {
      const keys = new Map(found.map(r => [r, r.key(state.column)]));
      found = [...found].sort((a, b) => compare(keys.get(a), keys.get(b), state.direction));
    }
    const shown = state.all ? found : found.slice(0, SHOWN);
    body.replaceChildren(...shown.map(r => r.row()));
    if (!found.length) body.append(h("tr", {}, h("td", { class: "text muted", colspan: heads.length }, "No row fits.")));
    count.textContent = found.length === records.length ? `${records.length} rows` : `${found.length} of ${records.length} rows`;
    more.hidden = shown.length === found.length;
    more.textContent = `Show all ${found.length}`;
    onPaper.textContent = more.hidden ? "" : `The first ${shown.length} of ${found.length} rows.`;
  };
  heads.forEach((head, column) => {
    const button = h("button", { type: "button", class: "sort", onclick: () => {
      const turn = state.column === column ? (state.direction === 1 ? -1 : null) : 1;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      Object.assign(state, turn === null ? { column: null, direction: 1 } : { column, direction: turn });
      if (turn !== null) head.setAttribute("aria-sort", turn === 1 ? "ascending" : "descending");
      draw();
      say(turn === null ? `${label}: original order` : `${label}: sorted by ${button.textContent}, ${turn === 1 ? "ascending" : "descending"}`);
    } });
    if (body.rows[0]?.cells[column]?.classList.contains("text")) head.classList.add("text");
    button.append(...head.childNodes);
    head.append(button);
  });
  const place = table.closest(".scroll");
  if (records.length > 5 || tools.length || always) {
    place.before(h("div", { class: "tools" }, tools, h("label", {}, "Filter", filter), count));
  } else place.before(count);
  count.hidden = records.length <= 5 && !always;
  place.after(more, onPaper);
  draw();
  return { draw, table };
}

function fromRows(table) {
  return [...table.tBodies[0].rows].map(row => ({
    row: () => row,
    key: column => sortKey(row.cells[column]),
    text: row.textContent.toLowerCase(),
  }));
}

// A table of texts: rows become elements only when they are shown.
function textTable(label, columns, rows, options = {}) {
  const table = h("table", { class: "dense", "data-label": label }, h("caption", { class: "sr" }, label),
    h("thead", {}, h("tr", {}, columns.map(c => h("th", { scope: "col", class: "text" }, words(c))))), h("tbody"));
  const width = columns.map((_, i) => Math.max(...rows.map(row => row[i].length)));
  const size = i => width[i] > 40 ? " long" : width[i] > 16 ? " mid" : "";
  const records = rows.map(values => {
    let row = null;
    return {
      row: () => row ??= h("tr", {}, values.map((value, i) => i === 0
        ? h("th", { scope: "row" }, value || "–")
        : h("td", { class: typeof wordKey(value) === "number" ? null : "text" + size(i) }, value || "–"))),
      key: column => wordKey(values[column]),
      text: values.join(" ").toLowerCase(),
    };
  });
  const place = h("div", {}, scroller(label, table));
  sheet(table, { label, records, ...options });
  return place;
}

// Listings are drawn when they are opened, and all of them for printing.
function startListings() {
  for (const details of $$("details.listing")) {
    const fill = () => {
      if (!details.open || details.dataset.drawn) return;
      details.dataset.drawn = "yes";
      const { columns, rows } = page.listings[details.dataset.key];
      details.append(textTable(details.dataset.title, columns, rows));
    };
    details.addEventListener("toggle", fill);
    fill();
  }
  addEventListener("beforeprint", () => $$("details.listing").forEach(d => { d.open = true; d.dispatchEvent(new Event("toggle")); }));
}

function startTables() {
  const sheets = $$("table.sheet").map(table => sheet(table));
  $$("#form input").forEach(input => input.addEventListener("change", () => {
    $("#tables").dataset.form = input.value;
    sheets.forEach(s => s.draw());
  }));
  for (const article of $$("article.table")) {
    const variants = $$(".variant", article);
    if (variants.length < 2) continue;
    const choice = select("Results", variants.map(v => [v.dataset.view, v.dataset.view]), variants[0].dataset.view,
      view => variants.forEach(v => { v.hidden = v.dataset.view !== view; }));
    $("h3", article).after(h("div", { class: "tools" }, choice));
  }
  document.addEventListener("click", event => {
    const button = event.target.closest(".prov[data-method]");
    if (button) showProvenance(button.dataset.dataset, button.dataset.protocol, button.dataset.method);
  });
}
