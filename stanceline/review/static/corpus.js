// All sentences: filters, charts, pages.

import { get, Refused } from "./api.js";
import { byline } from "./article.js";
import { sourceChart, timeChart } from "./charts.js";
import { count, fieldTitle, h, percent, shown } from "./dom.js";
import { chip } from "./labels.js";
import { banner, setQuery, state } from "./state.js";

const PAGE = 50;
const SORTS = { article: "As in the file", least_certain: "Least certain", most_certain: "Most certain", newest: "Newest", oldest: "Oldest", source: "Source" };
const FILTERS = ["find", "source", "label", "date_from", "date_to", "min_confidence", "max_confidence", "answered"];

export async function corpusView(place, id, query) {
  const view = new CorpusView(place, await get("sources"), query);
  await view.load();
  return view;
}

const option = (value, text, chosen) => h("option", { value, selected: value === chosen }, text);
const control = (label, element) => h("label", {}, h("span", {}, label), element);

class CorpusView {
  constructor(place, sources, query) {
    this.query = query;
    this.offset = Number(query.offset) || 0;
    this.sources = sources;
    this.label = h("select", { name: "label" });
    this.form = this.filters();
    this.charts = h("div", { class: "charts" }, h("p", { class: "quiet" }, "Counting …"));
    this.results = h("section", { class: "results", "aria-label": "Sentences", tabindex: "-1" });
    place.replaceChildren(h("div", { class: "browsing" }, h("h1", { class: "unseen" }, "Corpus"), this.form, this.charts, this.results));
    this.observer = new ResizeObserver(() => this.summary && this.drawCharts());
    this.observer.observe(this.charts);
  }

  filters() {
    const { query } = this;
    const text = (name, type, properties = {}) => h("input", { name, type, value: query[name] ?? "", ...properties });
    const share = { min: "0", max: "1", step: "0.05", inputmode: "decimal" };
    const form = h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault(), oninput: () => this.changed() },
      control("Find text", text("find", "search")),
      control("Source", h("select", { name: "source" }, option("", "All sources", query.source ?? ""),
        this.sources.map(({ source, sentences }) => option(source, `${source || "(none)"} · ${sentences}`, query.source)))),
      control("Stance", this.label),
      control("From", text("date_from", "text", { placeholder: "2023-01", size: "10" })),
      control("To", text("date_to", "text", { placeholder: "2023-12", size: "10" })),
      control("Confidence", text("min_confidence", "number", { placeholder: "0", ...share })),
      control("to", text("max_confidence", "number", { placeholder: "1", ...share })),
      control("Answers", h("select", { name: "answered" }, option("", "Any", query.answered ?? ""), option("true", "Answered", query.answered), option("false", "Not answered", query.answered))),
      control("Sort", h("select", { name: "sort" }, Object.entries(SORTS).map(([value, name]) => option(value, name, query.sort ?? "article")))));
    this.fillLabels();
    return form;
  }

  fillLabels() {
    const chosen = this.label.value || this.query.label || "";
    this.label.replaceChildren(option("", "All", chosen), ...state.field.labels.map((label) => option(label, fieldTitle(label), chosen)));
  }

  changed() {
    clearTimeout(this.timer);
    this.offset = 0;
    this.timer = setTimeout(() => this.load(), 250);
  }

  async load() {
    const values = Object.fromEntries(new FormData(this.form));
    setQuery({ ...values, sort: values.sort === "article" ? "" : values.sort, offset: this.offset || "" });
    const wanted = { field: state.field.name };
    for (const name of FILTERS) wanted[name] = values[name];
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const summary = get("predictions/summary", wanted);
      summary.catch(() => {}); // told below, unless the page of sentences was refused before
      const page = await get("predictions", { ...wanted, sort: values.sort, offset: this.offset, limit: PAGE });
      if (turn !== this.turn) return;
      this.drawResults(page);
      this.summary = await summary;
      if (turn === this.turn) this.drawCharts();
      banner(null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      banner(error.message);
    }
  }

  drawCharts() {
    const width = this.charts.clientWidth;
    if (width === this.drawnWidth && this.summary === this.drawn) return;
    this.drawnWidth = width;
    this.drawn = this.summary;
    const half = width > 800 ? (width - 24) / 2 : width;
    this.charts.replaceChildren(timeChart(this.summary, state.field, half), sourceChart(this.summary, state.field, half));
  }

  drawResults({ total, offset, sentences }) {
    const rows = sentences.map((sentence) => {
      const said = sentence.predictions[state.field.name];
      const given = sentence.answers.filter((answer) => answer.field === state.field.name || answer.field === null);
      return h("tr", {},
        h("td", { class: "label" }, chip(state.field, said.label), h("span", { class: "number quiet" }, percent(said.confidence))),
        h("td", { class: "text" }, h("a", { href: `#/article/${sentence.article}?s=${sentence.id}&field=${state.field.name}` }, shown(sentence.text.slice(0, 400)), sentence.length > 400 ? "…" : ""),
          given.map((answer) => h("span", { class: "given" }, "✎ ", shown(answer.annotator), " ", chip(state.field, answer.label)))),
        h("td", { class: "place" }, byline(sentence)));
    });
    const to = (start) => {
      this.offset = start;
      this.load().then(() => this.results.focus());
    };
    this.results.replaceChildren(
      h("h2", {}, count(total, "sentence")),
      h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, fieldTitle(state.field.name)), h("th", { scope: "col" }, "Sentence"), h("th", { scope: "col" }, "Source, date"))), h("tbody", {}, rows)),
      h("p", { class: "pager" },
        h("button", { type: "button", disabled: offset === 0, onclick: () => to(Math.max(0, offset - PAGE)) }, "Before"),
        h("span", {}, total ? `${(offset + 1).toLocaleString("en")} to ${(offset + sentences.length).toLocaleString("en")}` : "Nothing fits the filters"),
        h("button", { type: "button", disabled: offset + sentences.length >= total, onclick: () => to(offset + PAGE) }, "After")),
    );
  }

  onField() {
    this.label.value = "";
    this.query.label = "";
    this.fillLabels();
    this.changed();
  }

  leave() {
    clearTimeout(this.timer);
    this.observer.disconnect();
  }
}
