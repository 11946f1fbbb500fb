// One metric of all methods on all data sets of a task, as dots with intervals and as a table; any
// two quantities against each other; curves of training and of scores.
const GROUPS = { task: 0, dataset: 1, protocol: 2, selection: 3, metric: 4, target: 5, policy: 6, method: 7, value: 8, low: 9, high: 10, seeds: 11, cases: 12, groups: 13 };
const LABELS = { task: "Task", metric: "Metric", protocol: "Protocol", selection: "Weights", policy: "Empty masks" };
const LOWER_IS_BETTER = /^(hd95|train_loss|ece|brier)/;

function startExplorer() {
  const source = parsed($("#json-explorer"));
  const rows = source.rows.map(r => Object.fromEntries(Object.entries(GROUPS).map(([name, i]) => [name, r[i]])));
  const headline = source.headline, tools = $("#explorer-tools");
  if (!rows.length) {
    $("#explorer-panels").append(h("p", { class: "absent" }, "There are no results yet."));
    return;
  }
  startMethods([...rows.map(r => r.method), ...source.curves.map(c => c[1])]);
  const chosen = { task: rows[0].task, metric: "", protocol: "", selection: "", target: "", policy: "" };
  const printedOf = row => printed(source.printed, row, headline);
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
        draw();
        refocus(tools, label);
      }));
    }
    tools.replaceChildren(...controls);
    const datasets = [...new Set(left.map(r => r.dataset))];
    show("#explorer-panels", datasets.map(d => dotPanel(d, left.filter(r => r.dataset === d), printedOf, chosen.metric)));
    drawTable(left, printedOf, source.missing, chosen);
    drawScatter(rows, source, chosen, printedOf);
  };
  draw();
  drawCurves(source.curves);
}

// A choice that was drawn anew keeps the focus.
function refocus(tools, label) {
  const again = $$("label", tools).find(l => l.firstChild.textContent === label);
  if (again) $("select", again).focus();
}

// The printed value of a row's cell, where the paper prints this metric in this view.
function printed(all, row, headline) {
  const axes = ["protocol", "selection", row.task === "classification" ? "target" : "policy"];
  if (!axes.every(axis => headline[axis].includes(row[axis]))) return null;
  const hit = all.find(([dataset, metric, target, method]) => dataset === row.dataset && metric === row.metric
    && method === row.method && (target === null || target === row.target));
  return hit ? hit[4] : null;
}

const plain = value => String(+value.toPrecision(6));
const digitsOf = metric => metric.startsWith("hd95") ? 1 : 3;

function dotPanel(dataset, rows, printedOf, metric) {
  const digits = digitsOf(metric), sign = LOWER_IS_BETTER.test(metric) ? 1 : -1;
  const points = [...rows].sort((a, b) => sign * (a.value - b.value)).map(r => {
    const text = fixed(r.value, digits) + (r.low == null ? "" : ` [${fixed(r.low, digits)}, ${fixed(r.high, digits)}]`);
    const other = printedOf(r);
    const title = `${nameOf(r.method)}\n${text}, ${r.seeds.length} seed(s)` + (r.cases == null ? "" : `\n${r.cases} cases in ${r.groups} groups`)
      + (other == null ? "" : `\nprinted ${fixed(other, digits)}`);
    return { ...r, text, other, title, name: nameOf(r.method) };
  });
  const most = narrow() ? 22 : 28, longest = Math.min(most, Math.max(...points.map(p => p.name.length)));
  const seeds = points.filter(p => p.seeds.length > 1).flatMap(p => p.seeds.map(([, x]) => ({ ...p, x })));
  return panel({
    title: nameOf(dataset), rows: points.length,
    label: `${wordOf(metric)} on ${nameOf(dataset)}: ` + points.map(p => `${p.name} ${fixed(p.value, digits)}`).join(", "),
    options: {
      marginLeft: 10 + 7 * longest, marginRight: narrow() ? 12 : 146, insetLeft: 8, insetRight: 8,
      x: { label: null, nice: true, ticks: 4, grid: true },
      y: { label: null, domain: points.map(p => p.name), tickSize: 0, tickFormat: n => n.length > most ? n.slice(0, most - 1) + "…" : n },
    },
    marks: () => [
      Plot.ruleY(points.filter(p => p.low != null), { x1: "low", x2: "high", y: "name", strokeWidth: 2, ...looks("stroke") }),
      Plot.dot(seeds, { x: "x", y: "name", r: 2.5, ...looks("stroke") }),
      Plot.dot(points.filter(p => p.other != null), { x: "other", y: "name", symbol: "diamond", r: 5, stroke: "var(--other)", strokeWidth: 1.6, opacity: { value: dim, scale: null } }),
      Plot.dot(points, { x: "value", y: "name", r: 4, ...looks("fill"), title: "title", tip: true }),
      narrow() ? null : Plot.text(points, { frameAnchor: "right", y: "name", text: "text", textAnchor: "end", dx: 146, fill: "var(--muted)" }),
    ],
  });
}

function drawTable(rows, printedOf, missing, chosen) {
  const digits = digitsOf(chosen.metric) + 1;
  const columns = ["Method", "Data set", "Value", "Low", "High", "Printed", "Seeds", "Cases", "Groups"];
  const out = rows.map(r => [nameOf(r.method), nameOf(r.dataset), fixed(r.value, digits), fixed(r.low, digits), fixed(r.high, digits),
    fixed(printedOf(r), digits), r.seeds.map(([seed]) => seed).join(" "), String(r.cases ?? "–"), String(r.groups ?? "–")]);
  const gone = missing.filter(m => m[0] === chosen.task && m[2] === chosen.protocol && m[3] === chosen.selection);
  const details = h("details", {}, h("summary", {}, "The same as a table"), textTable(`${wordOf(chosen.metric)} by method and data set`, columns, out));
  $("#explorer-table").replaceChildren(
    ...(gone.length ? [h("p", { class: "absent" }, "No value: " + gone.map(m => `${nameOf(m[4])} on ${nameOf(m[1])}, seed ${m[5]} (${m[6]})`).join("; ") + ".")] : []),
    details);
}

// Any two quantities of the chosen task, protocol and weights: metrics, printed values, costs.
const scatter = { x: "", y: "" };
function drawScatter(rows, source, chosen, printedOf) {
  const view = rows.filter(r => ["task", "protocol", "selection"].every(axis => r[axis] === chosen[axis]));
  const of = metric => {
    let left = view.filter(r => r.metric === metric);
    for (const axis of ["target", "policy"]) {
      const values = new Set(left.map(r => r[axis]));
      const value = [chosen[axis], ...source.headline[axis], ...values].find(v => values.has(v));
      left = left.filter(r => r[axis] === value);
    }
    return left.map(r => ({ ...r, printed: printedOf(r) }));
  };
  const quantities = new Map();
  const datasets = [...new Set(view.map(r => r.dataset))];
  for (const metric of new Set(view.map(r => r.metric))) {
    const found = of(metric);
    const at = key => new Map(found.filter(r => r[key] != null).map(r => [`${r.dataset} ${r.method}`, r[key]]));
    quantities.set(metric, { name: wordOf(metric), metric, values: at("value"), low: at("low"), high: at("high") });
    if (found.some(r => r.printed != null)) quantities.set(`${metric} printed`, { name: `${wordOf(metric)}, printed`, metric, values: at("printed") });
  }
  for (const [name, costs] of Object.entries(source.costs)) {
    quantities.set(name, { name, cost: true,
      values: new Map(datasets.flatMap(d => Object.entries(costs).map(([method, value]) => [`${d} ${method}`, value]))) });
  }
  const score = source.headline.metric.find(m => quantities.has(m)) ?? [...quantities.keys()][0];
  const costs = Object.keys(source.costs);
  if (!quantities.has(scatter.y)) scatter.y = score;
  if (!quantities.has(scatter.x)) scatter.x = costs[0] ?? score;
  const again = () => drawScatter(rows, source, chosen, printedOf);
  const preset = (words, x) => h("button", { type: "button", "aria-pressed": String(scatter.x === x && scatter.y === score),
    onclick: () => { Object.assign(scatter, { x, y: score }); again(); $$("#scatter-tools button").find(b => b.textContent === words).focus(); } }, words);
  const axis = (label, key) => select(label, [...quantities].map(([q, { name }]) => [q, name]), scatter[key],
    value => { scatter[key] = value; again(); refocus($("#scatter-tools"), label); });
  $("#scatter-tools").replaceChildren(
    ...(costs.length ? [preset("Score against cost", costs[0])] : []),
    ...(quantities.has(`${score} printed`) ? [preset("Reproduced against printed", `${score} printed`)] : []),
    axis("Across", "x"), axis("Upwards", "y"));
  const [x, y] = [quantities.get(scatter.x), quantities.get(scatter.y)];
  show("#scatter-panels", datasets.map(d => scatterPanel(d, x, y)));
}

function scatterPanel(dataset, x, y) {
  const digits = q => q.cost ? 2 : digitsOf(q.metric);
  const points = [...y.values].flatMap(([key, value]) => {
    const [d, method] = key.split(" ");
    if (d !== dataset || !x.values.has(key)) return [];
    const low = y.low?.get(key), high = y.high?.get(key), across = x.values.get(key);
    const interval = low == null ? "" : ` [${fixed(low, digits(y))}, ${fixed(high, digits(y))}]`;
    return [{ method, x: across, y: value, low, high,
      title: `${nameOf(method)}\n${y.name}: ${fixed(value, digits(y))}${interval}\n${x.name}: ${fixed(across, digits(x))}` }];
  });
  const front = x.cost && y.metric && !LOWER_IS_BETTER.test(y.metric) ? unbeaten(points) : [];
  const both = x.metric && x.metric === y.metric ? points.flatMap(p => [p.x, p.y]) : [];
  return panel({
    title: nameOf(dataset), empty: "No method has both.", rows: points.length && 12, zoom: true,
    label: `${y.name} against ${x.name} on ${nameOf(dataset)}: ` + points.map(p => p.title.replaceAll("\n", ", ")).join("; "),
    options: { marginLeft: 56, x: { label: x.name, type: x.cost ? "log" : "linear", ticks: 5, tickFormat: plain, nice: !x.cost, grid: true },
      y: { label: y.name, nice: true, ticks: 5, grid: true }, inset: 6 },
    marks: () => [
      both.length ? Plot.line([Math.min(...both), Math.max(...both)], { x: v => v, y: v => v, stroke: "var(--strong)", strokeDasharray: "4 4", clip: true }) : null,
      Plot.line(front, { x: "x", y: "y", curve: "step-after", stroke: "var(--strong)", clip: true }),
      Plot.ruleX(points.filter(p => p.low != null), { x: "x", y1: "low", y2: "high", ...looks("stroke"), clip: true }),
      Plot.dot(points, { x: "x", y: "y", symbol: { value: p => lookOf(p.method).symbol, scale: null }, r: 5, ...looks("fill"), title: "title", tip: true, clip: true }),
    ],
  });
}

// What no other point beats in both: cheaper from the left, better from above.
function unbeaten(points) {
  let best = -Infinity;
  return [...points].sort((a, b) => a.x - b.x || b.y - a.y).filter(p => p.y > best && ((best = p.y), true));
}

const CURVES = {
  train_loss: ["Training loss", "Epoch", "Loss"], val_loss: ["Validation loss", "Epoch", "Loss"],
  val_score: ["Validation score", "Epoch", "Accuracy or mean Dice"],
  roc: ["ROC", "False-positive rate", "Sensitivity"], reliability: ["Calibration", "Mean score of a bin", "Share of the disease"],
};
let curve = "train_loss";
function drawCurves(curves) {
  const kinds = Object.keys(CURVES).filter(kind => curves.some(c => c[2] === kind));
  if (!kinds.length) {
    $("#curve-panels").replaceChildren(h("p", { class: "absent" }, "curves.csv is not among the results."));
    return;
  }
  if (!kinds.includes(curve)) curve = kinds[0];
  $("#curve-tools").replaceChildren(select("Curve", kinds.map(k => [k, CURVES[k][0]]), curve,
    kind => { curve = kind; drawCurves(curves); refocus($("#curve-tools"), "Curve"); }));
  const drawn = curves.filter(c => c[2] === curve);
  show("#curve-panels", [...new Set(drawn.map(c => c[0]))].map(d => curvePanel(d, drawn.filter(c => c[0] === d))));
}

function curvePanel(dataset, curves) {
  const [name, x, y] = CURVES[curve];
  const points = curves.flatMap(([, method, , all]) => all.map(([px, py]) => ({ method, x: px, y: py,
    title: `${nameOf(method)}\n${y}: ${fixed(py)}\n${x}: ${x === "Epoch" ? px : fixed(px)}` })));
  const last = curves.map(([, method, , all]) => `${nameOf(method)} ends at ${fixed(all.at(-1)[1])}`);
  return panel({
    title: nameOf(dataset), rows: 12, zoom: true, label: `${name} on ${nameOf(dataset)}: ${last.join(", ")}`,
    options: { marginLeft: 48, x: { label: x, ticks: 5, tickFormat: plain, grid: true }, y: { label: y, nice: true, ticks: 5, grid: true }, inset: 6 },
    marks: () => [
      Plot.line(points, { x: "x", y: "y", z: "method", strokeWidth: 1.6, ...looks("stroke"), clip: true }),
      Plot.dot(points, { x: "x", y: "y", r: 2, ...looks("fill"), title: "title", tip: true, clip: true }),
    ],
  });
}
