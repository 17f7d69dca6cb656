// The article as prose, each sentence tinted by its stance, with a panel about the one in focus.

import { get, Refused } from "./api.js";
import { announce, byId, count, fieldTitle, h, percent, redraw, shown } from "./dom.js";
import { answerButtons, chip, labelOf, markOf, probabilities, sentimentMark, tintOf } from "./labels.js";
import { annotator, banner, fields, giveAnswer, sentimentField, setQuery, state, undoLast } from "./state.js";

const PAGE = 500;

export async function articleView(place, id, query) {
  const view = new ArticleView(place);
  await view.open(Number(id) || 1, Number(query.s) || null);
  return view;
}

class ArticleView {
  constructor(place) {
    this.list = new ArticleList();
    this.prose = h("article", { class: "prose" });
    this.panel = h("aside", { class: "panel", "aria-label": "Sentence" });
    this.top = h("div", { class: "summary" });
    place.replaceChildren(h("div", { class: "reading" }, this.list.element, h("div", { class: "column" }, this.top, this.prose), this.panel));
    this.observer = new ResizeObserver(() => this.placeMarks());
    this.observer.observe(this.prose);
  }

  async open(id, sentence = null, offset = null) {
    const around = sentence ? (await get(`predictions/${sentence}`)).sentence.sentence_index : 0;
    const start = offset ?? Math.max(0, Math.floor(around / PAGE) * PAGE);
    this.article = await get(`articles/${id}`, { offset: start, limit: PAGE });
    this.selected = this.article.page.find((s) => s.id === sentence) ?? this.article.page[0];
    this.list.show(this.article);
    this.draw();
    if (sentence) this.elementOf(this.selected)?.scrollIntoView({ block: "center" });
  }

  draw() {
    this.drawTop();
    this.drawProse();
    this.drawPanel(this.selected);
  }

  drawTop() {
    const { counts } = this.article;
    const own = counts[state.field.name];
    const total = this.article.sentences;
    const bar = h("div", { class: "shares", "aria-hidden": "true" }, state.field.labels.map((label) => {
      const part = h("span", { class: tintOf(state.field, label), title: `${label} ${own[label]}` });
      part.style.flexGrow = own[label];
      return own[label] ? part : null;
    }));
    const words = state.field.labels.map((label) => h("span", {}, chip(state.field, label), ` ${own[label]}`));
    this.top.replaceChildren(
      h("div", { class: "counts" }, words, h("span", { class: "net" }, netText(own, state.field))),
      bar,
      h("p", { class: "quiet" }, `What the model says of ${count(total, "sentence")}. ✎ marks what people answered.`),
    );
  }

  drawProse() {
    const { article } = this;
    const head = [h("h1", {}, shown(article.title || article.article_id)), h("p", { class: "byline" }, byline(article))];
    this.elements = new Map();
    this.gutter = h("div", { class: "gutter", "aria-hidden": "true" });
    const first = article.page[0];
    const sentences = article.offset === 0 && first?.text === article.title ? article.page.slice(1) : article.page;
    // The headline is a sentence too: it is the heading then.
    if (sentences !== article.page) head[0].replaceChildren(this.sentence(first));
    this.prose.replaceChildren(...head, h("div", { class: "body" }, this.paragraphs(sentences)), this.gutter, this.pager());
    requestAnimationFrame(() => this.placeMarks());
  }

  // A gap of two characters between sentences is a paragraph's end; unrelated sentences stand alone.
  paragraphs(sentences) {
    const paragraphs = [];
    let before = null;
    for (const sentence of sentences) {
      const gap = before === null || (sentence.start !== null && before.end !== null && sentence.start - before.end > 1);
      if (gap || !this.article.is_running_text) paragraphs.push(h("p"));
      paragraphs.at(-1).append(this.sentence(sentence), " ");
      before = sentence;
    }
    return paragraphs;
  }

  sentence(sentence) {
    const element = h("span", {
      role: "button",
      tabindex: sentence === this.selected ? "0" : "-1",
      onfocus: () => this.select(sentence),
      onclick: () => element.focus({ preventScroll: true }),
      onpointerenter: (event) => event.pointerType === "mouse" && this.drawPanel(sentence),
      onpointerleave: (event) => event.pointerType === "mouse" && this.drawPanel(this.selected),
    });
    this.elements.set(sentence.id, element);
    this.dress(sentence);
    return element;
  }

  dress(sentence) {
    const element = this.elementOf(sentence);
    const label = effectiveLabel(sentence, state.field);
    const sentiment = sentimentField();
    const isAnswered = answersOf(sentence, state.field).length > 0;
    const isDisputed = givenLabels(sentence, state.field).size > 1;
    const isMarked = state.field.is_stance ? label !== "none" : label !== "neutral";
    const told = [isDisputed ? "in conflict" : `${isAnswered ? "answered " : ""}${label}`];
    if (sentiment && state.field.is_stance) told.push(`sentiment ${effectiveLabel(sentence, sentiment)}`);
    element.className = `sentence ${tintOf(state.field, label)}`;
    element.replaceChildren(
      isAnswered || isMarked ? h("span", { class: "mark", "aria-hidden": "true" }, `${isAnswered ? "✎" : ""}${isDisputed ? "≠" : markOf(state.field, label)}`) : "",
      shown(sentence.text),
      sentence.length > sentence.text.length ? h("span", { class: "quiet" }, " … (long)") : "",
      h("span", { class: "unseen" }, ` (${told.join("; ")})`),
    );
  }

  // The sentiment of each sentence in the margin, beside the line where it begins.
  placeMarks() {
    const sentiment = sentimentField();
    if (!sentiment || !this.gutter) return;
    const top = this.prose.getBoundingClientRect().top;
    const lines = new Map();
    for (const sentence of this.article.page) {
      const box = this.elementOf(sentence)?.getClientRects()[0];
      if (!box) continue;
      const middle = Math.round((box.top + box.height / 2 - top) / 6) * 6;
      lines.set(middle, (lines.get(middle) ?? "") + sentimentMark(effectiveLabel(sentence, sentiment)));
    }
    this.gutter.replaceChildren(...[...lines].map(([middle, marks]) => {
      const mark = h("span", {}, marks);
      mark.style.top = `${middle}px`;
      return mark;
    }));
  }

  pager() {
    const { offset, sentences, page, id } = this.article;
    if (sentences <= PAGE) return "";
    const to = (start) => this.open(id, null, start).then(() => this.elementOf(this.selected).focus());
    return h("p", { class: "pager" },
      h("button", { type: "button", disabled: offset === 0, onclick: () => to(offset - PAGE) }, "Earlier"),
      h("span", {}, `sentences ${offset + 1} to ${offset + page.length} of ${sentences.toLocaleString("en")}`),
      h("button", { type: "button", disabled: offset + page.length >= sentences, onclick: () => to(offset + PAGE) }, "Later"));
  }

  elementOf(sentence) {
    return this.elements.get(sentence?.id);
  }

  select(sentence) {
    this.elementOf(this.selected)?.setAttribute("tabindex", "-1");
    this.selected = sentence;
    this.elementOf(sentence).setAttribute("tabindex", "0");
    setQuery({ s: sentence.id });
    this.drawPanel(sentence);
  }

  drawPanel(sentence) {
    if (!sentence) return this.panel.replaceChildren();
    for (const [id, element] of this.elements) element.classList.toggle("current", id === sentence.id);
    const others = fields().filter((field) => field !== state.field);
    const own = answersOf(sentence, state.field).find((answer) => answer.annotator === annotator());
    const open = this.more?.open ?? isWide();
    this.more = h("details", { class: "more", open }, h("summary", {}, "Probabilities, other labels, context"),
      probabilities(state.field, sentence.predictions[state.field.name]), others.map((field) => said(sentence, field)), this.context(sentence));
    redraw(this.panel,
      h("h2", {}, `Sentence ${sentence.sentence_index + 1}`),
      said(sentence, state.field),
      h("section", { class: "correct" }, h("h3", {}, "Your answer"), answerButtons(state.field, own?.label, (label) => this.answer(label))),
      this.more,
    );
  }

  context(sentence) {
    const place = this.article.page.indexOf(sentence);
    const near = this.article.is_running_text ? this.article.page.slice(Math.max(0, place - 2), place + 2) : [sentence];
    const lines = near.map((other) => h(other === sentence ? "strong" : "span", {}, shown(other.text.slice(0, 600)), " "));
    const full = sentence.length > sentence.text.length ? h("button", { type: "button", onclick: () => this.showAll(sentence) }, "Show the whole sentence") : "";
    return h("section", { class: "context" }, h("h3", {}, "Context"), h("p", {}, lines), full);
  }

  async showAll(sentence) {
    const full = await get(`predictions/${sentence.id}`);
    sentence.text = full.sentence.text;
    this.dress(sentence);
    this.placeMarks();
    announce(`${full.sentence.text.length} of ${full.sentence.length} characters shown`);
  }

  async answer(label, field = state.field) {
    if (this.isBusy) return;
    if (!annotator()) return askName();
    this.isBusy = true;
    const sentence = this.selected;
    const own = sentence.answers.filter((answer) => answer.annotator === annotator());
    const replaces = own.filter((answer) => label === "bad" || answer.field === field.name || answer.label === "bad");
    try {
      const recorded = await giveAnswer(sentence, { field: label === "bad" ? null : field.name, label, replaces: replaces.map((answer) => answer.id) });
      this.update(sentence, recorded.sentence.answers);
      announce(`${fieldTitle(field.name)}: ${label}, kept${recorded.conflicts.length ? ", in conflict with another answer" : ""}`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      banner(error.message);
    } finally {
      this.isBusy = false;
    }
  }

  update(sentence, answers) {
    sentence.answers = answers;
    this.dress(sentence);
    this.drawPanel(this.selected);
    this.placeMarks();
  }

  async undo() {
    const recorded = await undoLast();
    if (!recorded) return announce("Nothing to undo");
    announce("Undone");
    const sentence = this.article.page.find((s) => s.id === recorded.sentence.id);
    if (sentence) this.update(sentence, recorded.sentence.answers);
  }

  step(by) {
    const page = this.article.page;
    const next = page[page.indexOf(this.selected) + by];
    if (!next) return;
    const element = this.elementOf(next);
    element.focus();
    element.scrollIntoView({ block: "nearest" });
  }

  onKey(key, event) {
    const target = event.target;
    if (target.closest(".articles") || (target.type === "radio" && key.startsWith("Arrow"))) return false;
    if ((key === "Enter" || key === " ") && target.matches(".sentence")) this.panel.querySelector("button").focus();
    else if (key === "Escape" && this.panel.contains(target)) this.elementOf(this.selected).focus();
    else if (key === "ArrowRight" || key === "j") this.step(1);
    else if (key === "ArrowLeft" || key === "k") this.step(-1);
    else if (key === "u") this.undo();
    else if (key === "b") this.answer("bad");
    else if (key === "s") this.answer("skip");
    else {
      const field = [state.field, ...fields().filter((f) => !f.is_stance)].find((f) => labelOf(f, key));
      if (!field) return false;
      this.answer(labelOf(field, key), field);
    }
    return true;
  }

  onField() {
    this.draw();
  }

  leave() {
    this.observer.disconnect();
  }
}

// The list beside the article; on a narrow screen it folds away.
class ArticleList {
  constructor() {
    this.items = h("ol");
    this.more = h("button", { type: "button", onclick: () => this.load(this.offset) }, "More");
    this.input = h("input", { type: "search", placeholder: "Find an article", "aria-label": "Find an article", oninput: () => this.search() });
    this.element = h("details", { class: "articles", open: matchMedia("(min-width: 70rem)").matches }, h("summary", {}, "Articles"), this.input, this.items, this.more);
    this.load(0);
  }

  search() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(0), 200);
  }

  async load(offset) {
    const { total, articles } = await get("articles", { find: this.input.value, offset, limit: 50 });
    if (offset === 0) this.items.replaceChildren();
    this.offset = offset + articles.length;
    this.more.hidden = this.offset >= total;
    this.items.append(...articles.map((article) => h("li", {}, h("a", { href: `#/article/${article.id}`, "data-id": article.id },
      shown(article.title || article.article_id), h("small", {}, byline(article))))));
    this.show(this.current);
  }

  show(article) {
    this.current = article;
    for (const link of this.items.querySelectorAll("a")) {
      if (Number(link.dataset.id) === article?.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
}

export const byline = (article) =>
  h("span", {}, [article.source, article.date].filter(Boolean).flatMap((part, place) => [place ? " · " : "", h("span", { class: place ? "date" : null }, shown(part))]));

const isWide = () => matchMedia("(min-width: 56rem)").matches;

// What the model says of a sentence in one field, and what people do.
function said(sentence, field) {
  const prediction = sentence.predictions[field.name];
  const answers = answersOf(sentence, field).map((answer) => h("p", { class: "said" }, chip(field, answer.label), h("span", { class: "quiet" }, " ", shown(answer.annotator))));
  return h("section", {}, h("h3", {}, fieldTitle(field.name)),
    h("p", { class: "said" }, chip(field, prediction.label), h("span", { class: "quiet" }, ` model, ${percent(prediction.confidence)} sure`)), answers);
}

export function askName() {
  banner("Write your name at the top first: every answer says who gave it.");
  byId("annotator").focus();
}

export const answersOf = (sentence, field) => sentence.answers.filter((answer) => answer.field === field.name || answer.field === null);

const givenLabels = (sentence, field) =>
  new Set(answersOf(sentence, field).map((answer) => answer.label).filter((label) => field.labels.includes(label)));

// What people agree on, where they answered; otherwise what the model says.
function effectiveLabel(sentence, field) {
  const given = givenLabels(sentence, field);
  return given.size === 1 ? [...given][0] : sentence.predictions[field.name].label;
}

function netText(counts, field) {
  const [plus, minus, third] = field.labels;
  const about = counts[plus] + counts[minus] + counts[third];
  if (!about) return "Nothing about this target";
  const net = (counts[plus] - counts[minus]) / about;
  return `Net ${field.is_stance ? "stance" : "sentiment"} ${net > 0 ? "+" : net < 0 ? "−" : ""}${Math.abs(net).toFixed(2)}`;
}
