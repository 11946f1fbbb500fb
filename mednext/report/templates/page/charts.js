// What the explorer's charts share: a look for each method, one choice of methods for all of them, and
// panels (Observable Plot) that say what is under the pointer and zoom by mouse, buttons and keys.
const SYMBOLS = [d3.symbolCircle, d3.symbolSquare, d3.symbolTriangle, d3.symbolDiamond, d3.symbolStar, d3.symbolWye];
const COLOURS = 8; // --c0 to --c7 of the style sheet
const methodLooks = new Map(), picked = new Set(), shown = new Map();

const narrow = () => innerWidth < 600;
const lookOf = method => methodLooks.get(method) ?? { colour: "var(--ink)", symbol: SYMBOLS[0] };
const dim = d => picked.size === 0 || picked.has(d.method) ? 1 : 0.15;
const looks = paint => ({ [paint]: { value: d => lookOf(d.method).colour, scale: null }, opacity: { value: dim, scale: null } });

// Its buttons are the legend, too. A click on a point does the same.
function startMethods(methods) {
  const own = method => /^med(u)?next/.test(method);
  const names = [...new Set(methods)].sort((a, b) => own(b) - own(a) || nameOf(a).localeCompare(nameOf(b), "en"));
  names.forEach((method, i) => methodLooks.set(method,
    { colour: `var(--c${i % COLOURS})`, symbol: SYMBOLS[Math.floor(i / COLOURS) % SYMBOLS.length] }));
  const place = $("#explorer-methods");
  const all = h("button", { type: "button", onclick: () => { picked.clear(); repick(); } }, "All methods");
  place.append(all, ...names.map(method => h("button", { type: "button", class: "method", title: method, "data-method": method,
    "aria-pressed": "false", onclick: () => pick(method) }, swatch(method), nameOf(method))));
}

function swatch(method) {
  const { colour, symbol } = lookOf(method), mark = h("path", { d: d3.symbol(symbol, 60)() });
  mark.style.fill = colour;
  return h("svg", { viewBox: "-7 -7 14 14", width: 12, height: 12, "aria-hidden": "true" }, mark);
}

function pick(method) {
  if (!picked.delete(method)) picked.add(method);
  repick();
}

function repick() {
  $$("#explorer-methods button.method").forEach(b => b.setAttribute("aria-pressed", String(picked.has(b.dataset.method))));
  shown.forEach(panels => panels.forEach(p => p.draw()));
  say(picked.size ? `Shown in all charts: ${[...picked].map(nameOf).join(", ")}` : "All methods shown");
}

function show(place, panels) {
  shown.set(place, panels);
  $(place).replaceChildren(...panels.map(p => p.element));
  panels.forEach(p => p.draw());
}

// `marks` are made anew with each drawing: they depend on the methods picked.
function panel({ title, label, options, marks, rows, zoom = false, empty = "No result." }) {
  const place = h("div", { class: "plot" }), element = h("div", {}, h("h3", {}, title), place);
  if (!rows) {
    place.append(h("p", { class: "absent" }, empty));
    return { element, draw() {} };
  }
  let range = {}, drawn = null, all = null; // all: what the axes span when nothing is cut off
  const cut = found => {
    range = found;
    draw();
    say(found.x ? `${title}: ` + ["x", "y"].map(axis => `${options[axis].label} ${found[axis].map(v => plain(+v.toPrecision(4))).join(" to ")}`).join(", ")
      : `${title}: whole range`);
  };
  // Grown by a factor (below 1: closer) and moved by shares of what is shown.
  const turn = (grow, right = 0, up = 0) => {
    const found = Object.fromEntries([["x", right], ["y", up]].map(([axis, move]) => {
      const scale = drawn.scale(axis), [from, to] = scale.range, middle = (from + to) / 2 + move * (to - from), half = grow * (to - from) / 2;
      return [axis, [scale.invert(middle - half), scale.invert(middle + half)]];
    }));
    const covers = axis => {
      const [low, high] = all[axis], slack = 1e-9 * Math.max(Math.abs(low), Math.abs(high)); // of rounding
      return found[axis][0] <= low + slack && found[axis][1] >= high - slack;
    };
    cut(covers("x") && covers("y") ? {} : found);
  };
  if (zoom) {
    const keys = { "+": [0.5], "=": [0.5], "-": [2], ArrowLeft: [1, -0.25], ArrowRight: [1, 0.25], ArrowUp: [1, 0, 0.25], ArrowDown: [1, 0, -0.25] };
    const button = (words, onclick) => h("button", { type: "button", "aria-label": `${words}, ${title}`, onclick }, words);
    for (const [name, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": `Chart of ${title}: plus, minus, arrows and 0 zoom` })) place.setAttribute(name, value);
    place.addEventListener("keydown", event => {
      const steps = keys[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey || (!steps && event.key !== "0")) return;
      if (steps?.[0] === 1 && !range.x) return; // nothing is cut off: arrows scroll the page
      event.preventDefault();
      if (steps) turn(...steps); else cut({});
    });
    element.append(h("div", { class: "tools zoom" }, button("Zoom in", () => turn(0.5)), button("Zoom out", () => turn(2)), button("Whole range", () => cut({}))));
  }
  const draw = () => {
    const width = Math.min(480, innerWidth - 32);
    const axes = Object.fromEntries(["x", "y"].map(axis => [axis, { ...options[axis], ...(range[axis] ? { domain: range[axis], nice: false } : {}) }]));
    const svg = Plot.plot({ width, height: rows * 24 + 44, marginRight: 12, marginBottom: options.x.label ? 40 : 28, ...options, ...axes,
      style: { fontSize: "12px", background: "none", overflow: "visible" },
      marks: marks() });
    $$("g[aria-label]", svg).forEach(g => { // a group without a role may bear no label
      g.dataset.mark = g.getAttribute("aria-label");
      g.removeAttribute("aria-label");
    });
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    svg.addEventListener("click", () => { if (svg.value?.method) pick(svg.value.method); });
    if (zoom) {
      brush(svg, cut);
      drawn = svg;
      if (!range.x) all = { x: svg.scale("x").domain, y: svg.scale("y").domain };
    }
    place.replaceChildren(svg);
  };
  return { element, draw };
}

// A rectangle drawn with the mouse becomes the range of both axes. Fingers scroll the page.
function brush(svg, zoomTo) {
  const box = ["x", "y"].map(axis => svg.scale(axis)), [left, right] = box[0].range, [bottom, top] = box[1].range;
  const area = d3.brush().extent([[left, top], [right, bottom]]).touchable(false).on("end", ({ selection }) => {
    if (!selection) return;
    const [[x0, y0], [x1, y1]] = selection;
    zoomTo({ x: [box[0].invert(x0), box[0].invert(x1)], y: [box[1].invert(y1), box[1].invert(y0)] });
  });
  d3.select(svg).insert("g", ":first-child").attr("class", "brush").call(area);
}
