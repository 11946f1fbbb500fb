// One metric of all methods on all data sets of a task, as dots with intervals and as a table.
const ROW = 24;
const GROUPS = { task: 0, dataset: 1, protocol: 2, selection: 3, metric: 4, target: 5, policy: 6, method: 7, value: 8, low: 9, high: 10, seeds: 11, cases: 12, groups: 13 };
const LABELS = { task: "Task", metric: "Metric", protocol: "Protocol", selection: "Weights", policy: "Empty masks" };

function startExplorer() {
  const source = parsed($("#json-explorer"));
  const rows = source.rows.map(r => Object.fromEntries(Object.entries(GROUPS).map(([name, i]) => [name, r[i]])));
  const headline = source.headline, tools = $("#explorer-tools"), panels = $("#explorer-panels");
  if (!rows.length) {
    panels.append(h("p", { class: "absent" }, "There are no results yet."));
    return;
  }
  const chosen = { task: rows[0].task, metric: "", protocol: "", selection: "", target: "", policy: "" };
  const draw = () => {
    let left = rows;
    const controls = [];
    for (const axis of Object.keys(chosen)) {
      const values = [...new Set(left.map(r => r[axis]))];
      if (!values.includes(chosen[axis])) {
        const wanted = headline[axis] ?? [];
        chosen[axis] = wanted.find(v => values.includes(v)) ?? values[0];
      }
      left = left.filter(r => r[axis] === chosen[axis]);
      const label = { ...LABELS, target: chosen.task === "classification" ? "Positive class" : "Organ" }[axis];
      if (values.length > 1) controls.push(select(label, values, chosen[axis], value => {
        chosen[axis] = value;
        const focused = label;
        draw();
        const again = $$("label", tools).find(l => l.firstChild.textContent === focused);
        if (again) $("select", again).focus();
      }));
    }
    tools.replaceChildren(...controls);
    const printedOf = row => printed(source.printed, row, headline);
    const datasets = [...new Set(left.map(r => r.dataset))];
    panels.replaceChildren(...datasets.map(d => panel(d, left.filter(r => r.dataset === d), printedOf, chosen.metric)));
    drawTable(left, printedOf, source.missing, chosen);
  };
  draw();
}

// The printed value of a row's cell, where the paper prints this metric in this view.
function printed(all, row, headline) {
  const axes = ["protocol", "selection", row.task === "classification" ? "target" : "policy"];
  if (!axes.every(axis => headline[axis].includes(row[axis]))) return null;
  const hit = all.find(([dataset, metric, target, method]) => dataset === row.dataset && metric === row.metric
    && method === row.method && (target === null || target === row.target));
  return hit ? hit[4] : null;
}

function ticks(low, high) {
  const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(f => f * power).find(s => s >= rough);
  const out = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-9; t += step) out.push(+t.toPrecision(10));
  return out;
}

const short = name => name.length > 18 ? name.slice(0, 17) + "…" : name;
const ours = method => /^med(u)?next/.test(method);

function panel(dataset, rows, printedOf, metric) {
  const hd = metric.startsWith("hd95"), loss = metric === "train_loss", digits = hd ? 1 : 3;
  const sorted = [...rows].sort((a, b) => hd || loss ? a.value - b.value : b.value - a.value);
  const values = sorted.flatMap(r => [r.value, r.low, r.high, printedOf(r)].filter(v => v != null));
  let low = Math.min(...values), high = Math.max(...values);
  const pad = Math.max((high - low) * 0.08, hd ? 0.5 : 0.01);
  low = hd ? Math.max(0, low - pad) : low - pad;
  high = hd || loss ? high + pad : Math.min(1, high + pad);
  const width = 440, left = 128, right = 150, height = sorted.length * ROW + 34;
  const x = v => left + (v - low) / (high - low) * (width - left - right);
  const lines = ticks(low, high).map(t => h("g", {},
    h("line", { class: "grid", x1: x(t), x2: x(t), y1: 4, y2: height - 24 }),
    h("text", { class: "quiet", x: x(t), y: height - 8, "text-anchor": "middle" }, String(t))));
  const marks = sorted.map((r, i) => {
    const y = i * ROW + 16, other = printedOf(r);
    const text = `${fixed(r.value, digits)}` + (r.low == null ? "" : ` [${fixed(r.low, digits)}, ${fixed(r.high, digits)}]`);
    return h("g", { class: ours(r.method) ? "mine" : null },
      h("title", {}, `${nameOf(r.method)}: ${text}, ${r.seeds.length} seed(s)` + (r.cases == null ? "" : `, ${r.cases} cases in ${r.groups} groups`) + (other == null ? "" : `; printed ${fixed(other, digits)}`)),
      h("text", { x: 0, y: y + 4 }, short(nameOf(r.method))),
      r.low == null ? null : h("line", { class: "ci", x1: x(r.low), x2: x(r.high), y1: y, y2: y }),
      r.seeds.length > 1 ? r.seeds.map(([, v]) => h("circle", { class: "seed", cx: x(v), cy: y, r: 2.5 })) : null,
      h("circle", { class: "dot", cx: x(r.value), cy: y, r: 4 }),
      other == null ? null : h("path", { class: "printed", d: `M${x(other)} ${y - 6}l6 6l-6 6l-6-6z` }),
      h("text", { class: "quiet", x: width, y: y + 4, "text-anchor": "end" }, text));
  });
  const name = `${words(metric)} on ${nameOf(dataset)}: ` + sorted.map(r => `${nameOf(r.method)} ${fixed(r.value, digits)}`).join(", ");
  return h("div", {}, h("h3", {}, nameOf(dataset)),
    h("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name }, lines, marks));
}

function drawTable(rows, printedOf, missing, chosen) {
  const digits = chosen.metric.startsWith("hd95") ? 2 : 4;
  const columns = ["Method", "Data set", "Value", "Low", "High", "Printed", "Seeds", "Cases", "Groups"];
  const out = rows.map(r => [nameOf(r.method), nameOf(r.dataset), fixed(r.value, digits), fixed(r.low, digits), fixed(r.high, digits),
    fixed(printedOf(r), digits), r.seeds.map(([seed]) => seed).join(" "), String(r.cases ?? "–"), String(r.groups ?? "–")]);
  const gone = missing.filter(m => m[0] === chosen.task && m[2] === chosen.protocol && m[3] === chosen.selection);
  const details = h("details", {}, h("summary", {}, "The same as a table"), textTable(`${words(chosen.metric)} by method and data set`, columns, out));
  $("#explorer-table").replaceChildren(
    ...(gone.length ? [h("p", { class: "absent" }, "No value: " + gone.map(m => `${m[4]} on ${nameOf(m[1])}, seed ${m[5]} (${m[6]})`).join("; ") + ".")] : []),
    details);
}
