"use strict";
// Data reach the page as JSON and as text only: nothing here ever parses data as HTML.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const parsed = element => JSON.parse(element.textContent);
const page = parsed($("#json-page"));
const nameOf = dataset => page.names[dataset] || dataset;

// An element (or, with an SVG tag, a drawing) with attributes, listeners and children.
const SVG_TAGS = new Set(["svg", "g", "line", "circle", "path", "text", "title", "desc"]);
function h(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child != null && child !== false));
  return element;
}

const say = words => { $("#live").textContent = words; };
const fixed = (value, digits = 3) => value == null ? "–" : value.toFixed(digits);
const words = slug => String(slug).replaceAll("_", " ");
const wordOf = slug => page.names[slug] ?? words(slug);

// A labelled choice; options are values or [value, words].
function select(label, options, value, onchange) {
  const pairs = options.map(o => Array.isArray(o) ? o : [o, wordOf(o)]);
  const input = h("select", { onchange: () => onchange(input.value) },
    pairs.map(([v, text]) => h("option", { value: v, selected: String(v) === String(value) }, text)));
  return h("label", { class: options.length < 2 ? "single" : null }, label, input);
}

function scroller(label, table) {
  return h("div", { class: "scroll plain", tabindex: "0", role: "region", "aria-label": label }, table);
}

// The one dialog: its content is replaced each time. The browser gives focus back on closing.
function openDialog(title, actions, ...content) {
  const dialog = $("#dialog");
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(
    h("div", { class: "head" }, h("h2", { id: "dialog-h" }, title),
      h("div", { class: "tools" }, actions, close)),
    ...content.filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  return dialog;
}

function showProvenance(dataset, protocol, method) {
  const runs = page.runs.filter(r => r.dataset === dataset && r.protocol === protocol && r.method === method);
  const rows = [["Seed", "seed"], ["Status", "status"], ["Reason", "reason"], ["Source of the data", "source_id"],
    ["Epochs", "epochs"], ["Training time, s", "wall"], ["Device", "device"], ["Configuration", "config_hash"],
    ["Data", "data_hash"], ["Split", "split_hash"], ["Code", "code_hash"], ["Environment", "env_hash"], ["Commit", "commit"]];
  const title = `${nameOf(method)} on ${nameOf(dataset)}, protocol ${words(protocol)}`;
  const table = h("table", {}, h("caption", { class: "sr" }, "Runs behind the numbers of " + title),
    h("tbody", {}, rows.map(([label, key]) => h("tr", {}, h("th", { scope: "row" }, label),
      runs.map(r => h("td", { class: "text" }, h("code", {}, String(r[key] === "" ? "–" : r[key]))))))));
  openDialog("Where the numbers of " + title + " come from", [],
    h("p", { class: "lead" }, `${runs.length} run${runs.length === 1 ? "" : "s"}; ` +
      `files in results/${page.profile}/runs/${dataset}/${protocol}/${method}/seed<k>/.`),
    scroller("Runs", table));
}

function startTheme() {
  const root = document.documentElement, button = $("#theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("mednext-theme"); } catch { return null; } };
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("mednext-theme", root.dataset.theme); } catch { /* private window */ }
    label();
    say(`${root.dataset.theme} theme`);
  });
  system.addEventListener("change", label);
  label();
}

function startMenu() {
  const menu = $("#menu"), narrow = matchMedia("(max-width: 60rem)");
  const fit = () => { menu.open = !narrow.matches; };
  narrow.addEventListener("change", fit);
  fit();
  menu.addEventListener("click", event => { if (narrow.matches && event.target.matches("a")) menu.open = false; });
  const links = new Map($$("a", menu).map(a => [a.hash.slice(1), a]));
  const seen = new IntersectionObserver(entries => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach(a => a.removeAttribute("aria-current"));
      links.get(entry.target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  links.forEach((_, id) => seen.observe(document.getElementById(id)));
}

// What is folded would be missing on paper.
function startPrint() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = $$("main details:not([open]), .reading:not([open])");
    opened.forEach(d => { d.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach(d => { d.open = false; }));
}
