// The browser of predictions: a list of test cases, and one case with its pictures.
const across = count => Math.max(1, Math.ceil(Math.sqrt(count)));

// The n-th picture of a contact sheet on a canvas of `side` pixels.
function paint(context, image, n, count, tile, side, alpha = 1, edge = 0) {
  const columns = across(count), step = tile + 2 * edge;
  context.globalAlpha = alpha;
  context.drawImage(image, n % columns * step + edge, Math.floor(n / columns) * step + edge, tile, tile, 0, 0, side, side);
  context.globalAlpha = 1;
}

class CaseSet {
  constructor(data) {
    this.data = data;
    this.sheets = new Map();
    this.firstPicture = new Map();
    data.pictured.forEach((row, n) => { if (!this.firstPicture.has(row)) this.firstPicture.set(row, n); });
    this.image = data.task === "classification";
    this.count = data.pictured.length;
  }
  // Decoded once, when it is first needed.
  sheet(uri) {
    if (!this.sheets.has(uri)) {
      const image = new Image();
      image.src = uri;
      this.sheets.set(uri, image.decode().then(() => image));
    }
    return this.sheets.get(uri);
  }
  async draw(canvas, n, overlay, alpha) {
    const { data } = this, side = canvas.width, context = canvas.getContext("2d");
    const photo = await this.sheet(data.images);
    const over = overlay ? await this.sheet(overlay) : null;
    context.clearRect(0, 0, side, side);
    paint(context, photo, n, this.count, data.side, side, 1, data.edge);
    context.imageSmoothingEnabled = this.image;
    if (over) paint(context, over, n, this.count, data.overlay_side, side, alpha);
    canvas.dataset.drawn = "yes";
  }
  thumbnail(row) {
    // The slice in the middle stands for a volume.
    const all = this.data.pictured.flatMap((r, n) => r === row ? [n] : []);
    if (!all.length) return null;
    const canvas = h("canvas", { width: 88, height: 88, "aria-hidden": "true" });
    this.draw(canvas, all[all.length >> 1], this.data.truth, 0.55);
    return canvas;
  }
  // Of method m and test image i: predicted class, its score, the score of the true class.
  verdict(m, i) {
    const scores = this.data.scores[m][i], best = scores.indexOf(Math.max(...scores)), label = this.data.labels[i];
    return { best, confidence: scores[best], truth: scores[label], right: best === label };
  }
  mean(values) {
    const known = values.filter(v => v != null);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
  }
}

function startCases() {
  const elements = $$(".json-cases");
  if (!elements.length) return;
  const sets = new Map();
  const get = key => {
    if (!sets.has(key)) sets.set(key, new CaseSet(parsed(elements.find(e => e.dataset.key === key))));
    return sets.get(key);
  };
  const chosen = { key: elements[0].dataset.key, method: 0, other: -1, wrong: false };
  let wrongWords;
  const draw = () => {
    const set = get(chosen.key), { data } = set;
    chosen.method = Math.min(chosen.method, Math.max(0, data.methods.length - 1));
    chosen.other = Math.min(chosen.other, data.methods.length - 1);
    const pairs = elements.map(e => { const [d, p] = e.dataset.key.split("."); return [e.dataset.key, `${nameOf(d)}, protocol ${words(p)}`]; });
    const wrong = h("input", { type: "checkbox", checked: chosen.wrong, onchange: () => { chosen.wrong = wrong.checked; list(); } });
    wrongWords = h("span", {});
    $("#case-tools").replaceChildren(
      select("Data set", pairs, chosen.key, key => { chosen.key = key; draw(); $("#case-tools select").focus(); }),
      select("Method", data.methods.map((m, i) => [i, nameOf(m)]), chosen.method, i => { chosen.method = +i; list(); }),
      select("Against", [[-1, "none"], ...data.methods.map((m, i) => [i, nameOf(m)])], chosen.other, i => { chosen.other = +i; list(); }),
      ...(set.image ? [h("label", {}, wrong, wrongWords)] : []));
    const unpictured = data.names.length - set.firstPicture.size;
    $("#case-note").textContent = `${data.source === "phantom" ? "PHANTOM (synthetic) data. " : ""}Weights of selection ${words(data.selection)}, `
      + `seed ${[...new Set(data.seeds)].join(", ")}.`
      + (set.image ? "" : " Dice and HD95 (voxels) of the whole volume; an organ that was not found counts 0, one that is in neither mask is left out.")
      + (unpictured ? ` ${unpictured} of ${data.names.length} have no picture: the half of the pictures shows what the methods got most wrong, the rest is evenly spaced.` : "")
      + (data.absent.length ? ` Without weights, hence not shown: ${data.absent.map(nameOf).join(", ")}.` : "");
    list();
  };
  const list = () => {
    const set = get(chosen.key);
    const place = $("#case-table");
    if (!set.data.methods.length) { place.replaceChildren(h("p", { class: "absent" }, "No method has weights.")); return; }
    const paired = chosen.other >= 0 && chosen.other !== chosen.method;
    wrongWords.textContent = paired ? "only where one errs" : "only its errors";
    if (paired) place.replaceChildren(...pairList(set, chosen));
    else place.replaceChildren(set.image ? imageList(set, chosen) : volumeList(set, chosen.method));
  };
  draw();
}

function caseTable(set, label, columns, rows, order) {
  const table = h("table", {}, h("caption", { class: "sr" }, label),
    h("thead", {}, h("tr", {}, columns.map(c => h("th", { scope: "col" }, c)))), h("tbody"));
  const records = rows.map(({ index, cells }) => {
    let row = null;
    return {
      row: () => row ??= h("tr", {},
        h("th", { scope: "row" }, h("div", { class: "thumb" }, set.thumbnail(index),
          h("button", { type: "button", class: "prov case", onclick: () => showCase(set, order(), index) }, set.data.names[index]))),
        cells.map(([, text, kind]) => h("td", { class: kind || null }, text))),
      key: column => column === 0 ? set.data.names[index].toLowerCase() : cells[column - 1][0],
      text: [set.data.names[index], ...cells.map(c => c[1])].join(" ").toLowerCase(),
    };
  });
  const place = h("div", {}, scroller(label, table));
  sheet(table, { label, records, always: true });
  return place;
}

function imageList(set, chosen) {
  const { data } = set, m = chosen.method, method = data.methods[m];
  const rows = data.names.flatMap((_, index) => {
    const v = set.verdict(m, index);
    if (chosen.wrong && v.right) return [];
    const errors = data.methods.filter((_, k) => !set.verdict(k, index).right).length;
    return [{ index, cells: [
      [words(data.classes[data.labels[index]]), words(data.classes[data.labels[index]])],
      [words(data.classes[v.best]), words(data.classes[v.best])],
      [v.right ? 1 : 0, v.right ? "✓ right" : "✗ wrong", v.right ? "v-matches" : "v-off"],
      [v.confidence, fixed(v.confidence)], [v.truth, fixed(v.truth)],
      [errors, `${errors} of ${data.methods.length}`]] }];
  });
  return caseTable(set, `Test images of ${nameOf(data.dataset)}, predicted by ${nameOf(method)}`,
    ["Image", "Truth", "Prediction", "Verdict", "Confidence", "Score of truth", "Methods wrong"], rows, () => rows.map(r => r.index));
}

function volumeList(set, m) {
  const { data } = set, organs = data.classes.slice(1);
  const rows = data.names.map((_, index) => {
    const dice = data.dice[m][index], mean = set.mean(dice), far = set.mean(data.hd95[m][index]);
    const best = Math.max(...data.methods.map((_, k) => set.mean(data.dice[k][index]) ?? -1));
    return { index, cells: [[mean, fixed(mean)], ...dice.map(d => [d, fixed(d)]), [far, fixed(far, 1)], [best, fixed(best)]] };
  });
  return caseTable(set, `Test volumes of ${nameOf(data.dataset)}, segmented by ${nameOf(data.methods[m])}`,
    ["Case", "Dice, mean", ...organs.map(o => `Dice, ${words(o)}`), "HD95, mean", "Best method's Dice"], rows, () => rows.map(r => r.index));
}

// Two methods on the same cases: what each case says, and what all of them say together.
function pairList(set, chosen) {
  const { data } = set, a = chosen.method, b = chosen.other;
  const [one, two] = [a, b].map(m => nameOf(data.methods[m]));
  if (!set.image) {
    const rows = data.names.map((_, index) => {
      const [x, y] = [a, b].map(m => set.mean(data.dice[m][index]));
      const gap = x === null || y === null ? null : x - y;
      return { index, gap, cells: [[x, fixed(x)], [y, fixed(y)], [gap, signed(gap)]] };
    });
    const gaps = rows.map(r => r.gap).filter(g => g !== null), n = gaps.length;
    const mean = gaps.reduce((s, g) => s + g, 0) / n;
    const deviation = Math.sqrt(gaps.reduce((s, g) => s + (g - mean) ** 2, 0) / (n - 1));
    const said = n > 1 ? `${one} minus ${two}, mean Dice: ${signed(mean)}, SD over ${n} volumes ${fixed(deviation)}. ` : "";
    return [h("p", { class: "pair" }, said, PAIRED), caseTable(set, `${one} against ${two}, volume by volume`,
      ["Case", `Dice, ${one}`, `Dice, ${two}`, "Difference"], rows, () => rows.map(r => r.index))];
  }
  const words4 = { "11": "both right", "10": `only ${one}`, "01": `only ${two}`, "00": "both wrong" };
  const counts = { "11": 0, "10": 0, "01": 0, "00": 0 };
  const rows = data.names.flatMap((_, index) => {
    const [v, w] = [a, b].map(m => set.verdict(m, index)), kind = `${+v.right}${+w.right}`;
    counts[kind] += 1;
    if (chosen.wrong && v.right === w.right) return [];
    const named = k => words(data.classes[k]);
    return [{ index, cells: [[named(data.labels[index]), named(data.labels[index])], [named(v.best), named(v.best)],
      [named(w.best), named(w.best)], [words4[kind], words4[kind], v.right === w.right ? null : v.right ? "v-matches" : "v-off"],
      [v.truth - w.truth, signed(v.truth - w.truth)]] }];
  });
  const [gap, low, high] = pairedDifference(counts["10"], counts["01"], data.names.length).map(x => signed(100 * x, 1));
  return [h("p", { class: "pair" }, `Right on ${data.names.length} images: both ${counts["11"]}, only ${one} ${counts["10"]}, only ${two} `
    + `${counts["01"]}, neither ${counts["00"]}. Accuracy, ${one} minus ${two}: ${gap} points [${low}, ${high}]. `, PAIRED),
  caseTable(set, `${one} against ${two}, image by image`,
    ["Image", "Truth", one, two, "Who is right", "Score of truth, difference"], rows, () => rows.map(r => r.index))];
}

const PAIRED = "One seed each; images of one patient count as independent here. The tests by group and over seeds stand under Comparisons.";
const signed = (value, digits = 3) => value === null ? "–" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

// Difference of two paired proportions with the 95 % interval of Agresti and Min (2005,
// doi:10.1002/sim.1781): Wald's, after half a case has been added to each of the four counts.
function pairedDifference(onlyFirst, onlySecond, n) {
  const x = onlyFirst + 0.5, y = onlySecond + 0.5, m = n + 2, middle = (x - y) / m;
  const half = 1.959964 * Math.sqrt(x + y - (x - y) ** 2 / m) / m;
  return [(onlyFirst - onlySecond) / n, middle - half, middle + half];
}

function showCase(set, order, index) {
  const { data } = set;
  const pictures = data.pictured.flatMap((row, n) => row === index ? [n] : []);
  const state = { n: pictures[pictures.length >> 1], alpha: 0.55 };
  const canvases = [];
  const canvas = (label, overlay) => {
    const element = h("canvas", { width: 384, height: 384, role: "img", "aria-label": label });
    canvases.push([element, overlay]);
    return element;
  };
  const repaint = () => canvases.forEach(([element, overlay]) => set.draw(element, state.n, overlay, state.alpha));
  const view = (label, overlay, ...text) => h("div", {}, pictures.length ? canvas(label, overlay) : null, h("p", {}, ...text));
  const views = [view("the image", null, h("b", {}, "Image"), set.image ? ` truth: ${words(data.classes[data.labels[index]])}` : "")];
  if (!set.image) views.push(view("ground truth", data.truth, h("b", {}, "Ground truth")));
  data.methods.forEach((method, m) => {
    if (set.image) {
      const v = set.verdict(m, index), text = `${v.right ? "✓" : "✗"} ${words(data.classes[v.best])} ${fixed(v.confidence)}`;
      views.push(view(`Grad-CAM of ${nameOf(method)}: ${text}`, data.overlays[method], h("b", {}, nameOf(method)), " ", h("span", { class: v.right ? "v-matches" : "v-off" }, text)));
    } else {
      const organs = data.classes.slice(1).map((o, k) => `${words(o)} ${fixed(data.dice[m][index][k])}`).join(", ");
      views.push(view(`mask of ${nameOf(method)}`, data.overlays[method], h("b", {}, nameOf(method)), ` Dice ${fixed(set.mean(data.dice[m][index]))} (${organs})`));
    }
  });
  const tools = [];
  if (pictures.length) {
    const slider = h("input", { type: "range", min: 0, max: 100, value: 55, oninput: () => { state.alpha = slider.value / 100; repaint(); } });
    tools.push(h("label", {}, set.image ? "Heatmap" : "Mask", slider));
    if (pictures.length > 1) tools.push(select("Slice", pictures.map(n => [n, data.planes[n]]), state.n, n => { state.n = +n; repaint(); }));
  }
  const at = order.indexOf(index);
  const step = (label, to) => h("button", { type: "button", disabled: order[to] === undefined, onclick: () => {
    showCase(set, order, order[to]);
    const again = $$("#dialog .head button").find(b => b.textContent === label && !b.disabled);
    if (again) again.focus();
  } }, label);
  openDialog(data.names[index], [step("Previous", at - 1), step("Next", at + 1)],
    data.source === "phantom" ? h("p", { class: "phantom" }, "PHANTOM (synthetic) data, not an image of a patient") : null,
    pictures.length ? null : h("p", { class: "absent" }, "This case has no picture in the page."),
    h("div", { class: "tools" }, tools),
    set.image ? null : h("div", { class: "legend" }, data.classes.slice(1).map((o, k) => {
      const box = h("i", { "aria-hidden": "true" });
      box.style.background = data.colours[k];
      return h("span", {}, box, words(o));
    })),
    h("div", { class: "views" }, views));
  repaint();
}
