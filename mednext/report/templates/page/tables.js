// Tables that are sorted by their headers, filtered by words, folded where nothing was run, shown in
// parts where they are long, and copied as text.
const SHOWN = 50;
// Which of p (printed), o (ours) and d (difference) the paper's tables show.
const tablesForm = () => $("#tables").dataset.form;

// What a cell is sorted by: of the paper's tables the number of the chosen form, else its words.
function sortKey(cell) {
  if (cell.dataset.p !== undefined) {
    const { p, o } = cell.dataset;
    if (p === "" && o === "") return null;
    const anyOurs = [...cell.closest("tbody, table").querySelectorAll(`td:nth-child(${cell.cellIndex + 1})`)]
      .some(other => other.dataset.o);
    const form = tablesForm();
    const text = !/[od]/.test(form) || (form.includes("p") && !anyOurs) ? p : o;
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
  const absent = records.filter(r => r.absent), folds = absent.length > 0 && absent.length < records.length;
  const state = { column: null, direction: 1, words: "", all: false, unfolded: !folds };
  const count = h("span", { class: "count", role: "status" });
  const more = h("button", { type: "button", class: "more", onclick: () => { state.all = true; draw(); } });
  const filter = h("input", { type: "search", "aria-label": `Filter ${label}`, placeholder: "words…", size: 14,
    oninput: () => { state.words = filter.value.toLowerCase(); draw(); } });
  const fold = h("button", { type: "button", class: "fold", "aria-expanded": "false",
    onclick: () => { state.unfolded = !state.unfolded; draw(); } });
  // One choice for each column named in data-choices: its different words.
  const choices = (table.dataset.choices ?? "").split(",").filter(Boolean).map(Number).map(column => {
    const values = [...new Set(records.map(r => r.cell(column)))].sort();
    const input = h("select", { onchange: () => draw() },
      [["", "all"], ...values.map(v => [v, v])].map(([v, text]) => h("option", { value: v }, text)));
    return { column, input, label: h("label", {}, heads[column].textContent, input) };
  });
  tools = [...tools, ...choices.map(c => c.label)];
  const onPaper = h("p", { class: "onpaper muted" });
  const draw = () => {
    const wanted = state.words.split(/\s+/).filter(Boolean);
    const unfolded = state.unfolded || wanted.length > 0 || !/[od]/.test(tablesForm());
    const considered = unfolded ? records : records.filter(r => !r.absent);
    let found = considered.filter(r => wanted.every(word => r.text.includes(word))
      && choices.every(c => c.input.value === "" || r.cell(c.column) === c.input.value));
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
    fold.hidden = !folds || (unfolded && !state.unfolded);
    fold.setAttribute("aria-expanded", String(state.unfolded));
    fold.textContent = state.unfolded ? "Fold what was not run"
      : `Not run: ${absent.map(r => r.name).join(", ")}`;
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
    place.before(h("div", { class: "tools" }, tools, h("label", {}, "Filter", filter), count, copyTools(table, label)));
  } else place.before(count);
  count.hidden = records.length <= 5 && !always;
  place.after(fold, more, onPaper);
  draw();
  return { draw, table };
}

function fromRows(table) {
  return [...table.tBodies[0].rows].map(row => ({
    row: () => row,
    key: column => sortKey(row.cells[column]),
    cell: column => row.cells[column].textContent.trim(),
    text: row.textContent.toLowerCase(),
    absent: row.classList.contains("notrun"),
    name: row.cells[0].dataset.name,
  }));
}

// What is shown, as text: a cell's visible parts in one line, without buttons' hidden words.
function shownCells(table) {
  const text = cell => cell.innerText.replace(/[\u2195\u25b4\u25be]/g, "").replace(/\s+/g, " ").trim();
  return [table.tHead.rows[0], ...table.tBodies[0].rows].map(row => [...row.cells].map(text));
}

const FORMATS = {
  Markdown([head, ...rows]) {
    const line = cells => `| ${cells.map(c => c.replace(/[\\|<]/g, "\\$&")).join(" | ")} |`;
    return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
  },
  CSV(rows) { // a leading = + - @ that is no number would be a formula in a spreadsheet
    const safe = c => /^[=+\-@]/.test(c) && wordKey(c) === c.toLowerCase() ? `'${c}` : c;
    return rows.map(r => r.map(c => `"${safe(c).replaceAll('"', '""')}"`).join(",")).join("\r\n");
  },
  LaTeX([head, ...rows]) {
    const escaped = c => c.replace(/\\/g, "\\textbackslash ").replace(/[&%$#_{}]/g, "\\$&")
      .replace(/~/g, "\\textasciitilde ").replace(/\^/g, "\\textasciicircum ");
    const line = cells => `${cells.map(escaped).join(" & ")} \\\\`;
    return [`\\begin{tabular}{l${"r".repeat(head.length - 1)}}`, "\\hline", line(head), "\\hline",
      ...rows.map(line), "\\hline", "\\end{tabular}"].join("\n");
  },
};

async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const held = h("textarea", {}); // a page opened as a file has no clipboard in some browsers
  held.value = text;
  document.body.append(held);
  held.select();
  const done = document.execCommand("copy");
  held.remove();
  if (!done) throw new Error("the browser refused");
}

function copyTools(table, label) {
  const buttons = Object.entries(FORMATS).map(([name, write]) => h("button", { type: "button", class: "copy",
    "aria-label": `Copy ${label} as ${name}`, onclick: () => copied(write(shownCells(table)))
      .then(() => say(`${label}: copied as ${name}`), error => say(`${label}: not copied, ${error.message}`)) }, name));
  return h("span", { class: "copies" }, "Copy as", buttons);
}

// A table of texts: rows become elements only when they are shown.
function textTable(label, columns, rows, options = {}) {
  const numbers = columns.map((_, i) => i > 0 && rows.every(row => typeof (wordKey(row[i]) ?? 0) === "number"));
  const table = h("table", { class: "dense", "data-label": label }, h("caption", { class: "sr" }, label),
    h("thead", {}, h("tr", {}, columns.map((c, i) => h("th", { scope: "col", class: numbers[i] ? null : "text" }, words(c))))), h("tbody"));
  const width = columns.map((_, i) => Math.max(...rows.map(row => row[i].length)));
  const size = i => width[i] > 40 ? " long" : width[i] > 16 ? " mid" : "";
  const records = rows.map(values => {
    let row = null;
    return {
      row: () => row ??= h("tr", {}, values.map((value, i) => i === 0
        ? h("th", { scope: "row" }, value || "–")
        : h("td", { class: numbers[i] ? null : "text" + size(i) }, value || "–"))),
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
  const open = () => { // a link leads to what is folded
    const target = document.getElementById(location.hash.slice(1));
    if (target?.matches("details.listing")) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => $$("details.listing").forEach(d => { d.open = true; d.dispatchEvent(new Event("toggle")); }));
}

function startTables() {
  const sheets = $$("table.sheet").map(table => sheet(table));
  const parts = $$("#form input");
  parts.forEach(input => input.addEventListener("change", () => {
    if (!parts.some(part => part.checked)) input.checked = true; // an empty table answers nothing
    $("#tables").dataset.form = parts.filter(part => part.checked).map(part => part.value).join("");
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
