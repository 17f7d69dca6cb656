// Net stance over time and by source, with its interval; each chart is a table too.

import { fieldTitle, h, shown, svg } from "./dom.js";

const HEIGHT = 240;
const ROW = 26;
const LEFT = 40;

const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;
const sentences = (group) => Object.values(group.counts).reduce((sum, n) => sum + n, 0);
const told = (group) => {
  if (group.net === null) return "not mentioned";
  const interval = group.low === null ? "one article, no interval" : `${signed(group.low)} to ${signed(group.high)}`;
  return `${signed(group.net)} (${interval}), ${group.articles} articles, ${sentences(group)} sentences`;
};
const ends = (field) => (field.is_stance ? ["favor", "against"] : ["positive", "negative"]);

function frame(title, note, field, groups, drawing, first) {
  const columns = [first, ...field.labels, "net", "95 % interval"];
  const cells = (group) => [...field.labels.map((label) => group.counts[label]), group.net === null ? "–" : signed(group.net), group.low === null ? "–" : `${signed(group.low)} to ${signed(group.high)}`];
  const table = h("table", {}, h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, groups.map((group) => h("tr", {}, h("th", { scope: "row" }, shown(group.name)), cells(group).map((cell) => h("td", {}, String(cell)))))));
  return h("figure", {}, h("figcaption", {}, h("h2", {}, title), h("p", { class: "quiet" }, note)), drawing, h("details", {}, h("summary", {}, "As a table"), h("div", { class: "scroll", tabindex: "0" }, table)));
}

export function timeChart(summary, field, width) {
  const groups = summary.by_time;
  const kind = field.is_stance ? "Net stance" : "Net sentiment";
  const undated = summary.undated ? ` ${summary.undated.toLocaleString("en")} sentences have no date.` : "";
  const note = `+1: all ${ends(field)[0]}, −1: all ${ends(field)[1]}; by ${summary.period}, bars are 95 % intervals over articles.${undated}`;
  const drawing = groups.length ? drawTime(groups, width, `${kind} over time, ${groups.length} points; the table has the figures`) : h("p", { class: "quiet" }, "No sentence here has a date.");
  return frame(`${kind} over time`, note, field, groups, drawing, summary.period);
}

// "2024", "2024-05" or "2024-05-17" as a point in time.
function instant(name) {
  const [year, month = 1, day = 1] = name.split("-").map(Number);
  return Date.UTC(year, month - 1, day);
}

function drawTime(groups, width, label) {
  const right = 12, top = 10, bottom = 28;
  const times = groups.map((group) => instant(group.name));
  const span = times.at(-1) - times[0];
  const x = (place) => (span ? LEFT + 14 + ((times[place] - times[0]) * (width - LEFT - right - 28)) / span : (LEFT + width - right) / 2);
  const y = (value) => top + ((1 - value) * (HEIGHT - top - bottom)) / 2;
  const grid = [-1, -0.5, 0, 0.5, 1].flatMap((value) => [
    svg("line", { x1: LEFT, x2: width - right, y1: y(value), y2: y(value), class: value === 0 ? "axis" : "grid" }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, signed(value).replace(/\.?0+$/, "") || "0"),
  ]);
  const known = groups.map((group, place) => ({ group, place })).filter(({ group }) => group.net !== null);
  const path = known.map(({ group, place }, n) => `${n ? "L" : "M"}${x(place)} ${y(group.net)}`).join("");
  let free = 0; // where the next name has room
  const names = groups.map((group, place) => {
    if (x(place) < free) return null;
    free = x(place) + 30 + 7 * group.name.length;
    return svg("text", { x: x(place), y: HEIGHT - 8, "text-anchor": "middle" }, group.name);
  });
  return svg("svg", { width, height: HEIGHT, role: "img", "aria-label": label }, grid, svg("path", { d: path, class: "line" }),
    known.map(({ group, place }) => point(group, x(place), y, true)), names);
}

function point(group, at, scale, isVertical) {
  const [px, py] = isVertical ? [at, scale(group.net)] : [scale(group.net), at];
  const span = group.low === null ? null : isVertical
    ? svg("line", { x1: at, x2: at, y1: scale(group.low), y2: scale(group.high), class: "interval" })
    : svg("line", { x1: scale(group.low), x2: scale(group.high), y1: at, y2: at, class: "interval" });
  const side = group.net > 0 ? "plus" : group.net < 0 ? "minus" : "even";
  return svg("g", {}, svg("title", {}, `${group.name}: ${told(group)}`), span, svg("circle", { cx: px, cy: py, r: 4.5, class: side }));
}

export function sourceChart(summary, field, width) {
  const groups = summary.by_source.map((group) => (group.name ? group : { ...group, name: "others or none" }));
  const kind = field.is_stance ? "Net stance" : "Net sentiment";
  const note = `Toward ${fieldTitle(field.name).toLowerCase()}; the largest sources, bars are 95 % intervals over articles.`;
  return frame(`${kind} by source`, field.is_stance ? note : note.replace(/^Toward sentiment; t/, "T"), field, groups, drawSources(groups, width, kind), "source");
}

function drawSources(groups, width, kind) {
  const left = Math.min(280, width * 0.46), right = 16, top = 22;
  const height = top + groups.length * ROW + 6;
  const x = (value) => left + 10 + ((value + 1) * (width - left - right - 10)) / 2;
  const fits = Math.floor(left / 6.8);
  const grid = [-1, 0, 1].flatMap((value) => [
    svg("line", { x1: x(value), x2: x(value), y1: top - 6, y2: height, class: value === 0 ? "axis" : "grid" }),
    svg("text", { x: x(value), y: 11, "text-anchor": "middle" }, value ? signed(value).slice(0, 2) : "0"),
  ]);
  const rows = groups.map((group, place) => {
    const y = top + place * ROW + ROW / 2;
    const name = group.name.length > fits ? `${group.name.slice(0, fits - 1)}…` : group.name;
    return svg("g", {}, svg("text", { x: left, y: y + 4, "text-anchor": "end" }, name, svg("title", {}, `${group.name}: ${told(group)}`)),
      group.net === null ? null : point(group, y, x, false));
  });
  return svg("svg", { width, height, role: "img", "aria-label": `${kind} by source, ${groups.length} sources; the table has the figures` }, grid, rows);
}
