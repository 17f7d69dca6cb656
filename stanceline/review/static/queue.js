// One sentence at a time. The model's answer stays hidden until the person has answered.

import { get, Refused } from "./api.js";
import { askName, byline } from "./article.js";
import { announce, count, fieldTitle, h, percent, redraw, shown } from "./dom.js";
import { answerButtons, chip, labelOf } from "./labels.js";
import { annotator, banner, giveAnswer, sentimentField, state, undoLast } from "./state.js";

export async function queueView(place) {
  const view = new QueueView(place);
  await view.next();
  return view;
}

class QueueView {
  constructor(place) {
    this.card = h("section", { class: "card", "aria-label": "Question" });
    this.last = h("section", { class: "last", "aria-label": "Last answer" });
    this.progress = h("section", { class: "side", "aria-label": "Progress" });
    this.others = h("input", { type: "checkbox", onchange: () => this.next() });
    const option = h("label", { class: "option" }, this.others, " also what others have answered");
    place.replaceChildren(h("h1", { class: "unseen" }, "Queue"), h("div", { class: "asking" }, h("div", { class: "column" }, this.card, this.last), h("div", { class: "column" }, this.progress, option)));
  }

  async next() {
    if (!annotator()) {
      this.card.replaceChildren(h("p", {}, "Who are you? Write your name at the top: every answer says who gave it."));
      return askName();
    }
    const { items, progress } = await get("labels/queue", { field: state.field.name, annotator: annotator(), others: this.others.checked });
    this.drawProgress(progress);
    if (items.length) this.show(items[0], true);
    else this.done();
  }

  show(item, isBlind) {
    this.item = item;
    this.isBlind = isBlind;
    this.since = performance.now();
    this.sentiment = null;
    const isInside = this.card.contains(document.activeElement);
    this.draw();
    // Whoever answers with the buttons goes on at the next sentence; to all others it is read out.
    if (isInside) this.card.querySelector(".asked").focus({ preventScroll: true });
    else announce(`${item.sentence.text.slice(0, 600)} ${this.question()}`);
  }

  question() {
    return state.field.is_stance ? `Stance toward ${fieldTitle(state.field.name).toLowerCase()}?` : "Tone of the sentence?";
  }

  done() {
    this.item = null;
    this.card.replaceChildren(h("p", { class: "asked" }, "Nothing is left to answer here."), h("p", { class: "quiet" }, "Choose another target, or look under Corpus."));
  }

  draw() {
    const { sentence, before, after, selection } = this.item;
    const aside = (others) => others.map((other) => h("span", {}, shown(other.text), " "));
    const sentiment = state.field.is_stance ? sentimentField() : null;
    redraw(this.card,
      h("p", { class: "byline" }, h("cite", {}, shown(sentence.title)), byline(sentence)),
      h("div", { class: "passage" },
        before.length ? h("p", { class: "near" }, aside(before)) : "",
        h("p", { class: "asked", tabindex: "-1" }, shown(sentence.text), sentence.length > sentence.text.length ? h("span", { class: "quiet" }, ` … (${count(sentence.length, "character")})`) : ""),
        after.length ? h("p", { class: "near" }, aside(after)) : ""),
      h("div", { class: "respond" },
        h("h2", { class: "question" }, this.question(), h("small", { class: "quiet" }, selection === "random" ? "drawn at random" : "the model is unsure")),
        answerButtons(state.field, null, (label) => this.answer(label)),
        sentiment ? h("div", { class: "second" }, h("h3", {}, "Sentiment"), answerButtons(sentiment, this.sentiment?.label, (label) => this.answerSentiment(label))) : "",
        h("div", { class: "minor" },
          h("button", { type: "button", "aria-keyshortcuts": "s", onclick: () => this.answer("skip") }, h("kbd", { "aria-hidden": "true" }, "S"), "Skip"),
          h("button", { type: "button", "aria-keyshortcuts": "b", onclick: () => this.answer("bad") }, h("kbd", { "aria-hidden": "true" }, "B"), "Bad sentence"),
          h("button", { type: "button", "aria-keyshortcuts": "u", disabled: !state.history.length, onclick: () => this.undo() }, h("kbd", { "aria-hidden": "true" }, "U"), "Undo"))),
    );
  }

  drawProgress(progress) {
    const bar = h("progress", { max: String(progress.sentences), value: String(progress.answered + progress.skipped + progress.bad), "aria-label": "Answered" });
    const agreement = (agreed, compared) => (compared ? `${percent(agreed / compared)} of ${compared}` : "–");
    this.progress.replaceChildren(
      h("h2", {}, "So far"), bar,
      h("dl", { class: "facts" },
        h("dt", {}, "Answered"), h("dd", { id: "answered" }, `${progress.answered.toLocaleString("en")} of ${progress.sentences.toLocaleString("en")}`),
        h("dt", {}, "Skipped, bad"), h("dd", {}, `${progress.skipped}, ${progress.bad}`),
        h("dt", {}, "Model agrees"), h("dd", { id: "agreement" }, agreement(progress.agreed, progress.compared)),
        h("dt", {}, "on the random share"), h("dd", {}, agreement(progress.random_agreed, progress.random_compared))),
      h("p", { class: "quiet" }, "The queue asks what the model is least sure of, so only the random share tells how good it is."),
    );
  }

  answer(label) {
    return this.record(async () => {
      const { sentence, selection } = this.item;
      const asked = state.field;
      const isBad = label === "bad";
      const recorded = await giveAnswer(sentence, {
        field: isBad ? null : asked.name, label, blind: this.isBlind, selection, seconds: this.seconds(),
        // A sentence that is bad has no sentiment either.
        replaces: isBad && this.sentiment ? [this.sentiment.id] : [],
      });
      this.drawLast(recorded, asked);
      await this.next();
    });
  }

  answerSentiment(label) {
    return this.record(async () => {
      const recorded = await giveAnswer(this.item.sentence, {
        field: sentimentField().name, label, blind: this.isBlind, selection: "browsed", seconds: this.seconds(),
        replaces: this.sentiment ? [this.sentiment.id] : [],
      });
      this.sentiment = recorded.answer;
      this.draw();
      announce(`Sentiment ${label}`);
    });
  }

  undo() {
    return this.record(async () => {
      const recorded = await undoLast();
      if (!recorded) return announce("Nothing to undo");
      const isHere = this.item?.sentence.id === recorded.sentence.id;
      this.last.replaceChildren();
      if (isHere && this.sentiment?.id === recorded.answer.id) {
        this.sentiment = null;
        this.draw();
      } else {
        const context = await get(`predictions/${recorded.sentence.id}`);
        this.show({ ...context, selection: recorded.answer.selection }, false);
      }
      announce(`Undone: ${recorded.answer.label}`);
    }, true);
  }

  // One at a time: a key that is pressed while an answer is being kept is not meant for the next sentence.
  async record(work, isAllowedWithoutItem = false) {
    if (this.isBusy || (!this.item && !isAllowedWithoutItem)) return;
    this.isBusy = true;
    try {
      await work();
      if (!state.isAway) banner(null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      banner(error.message);
    } finally {
      this.isBusy = false;
    }
  }

  seconds() {
    return Math.round(performance.now() - this.since) / 1000;
  }

  // What the model said, and whom the answer contradicts: only now.
  drawLast(recorded, asked) {
    const { answer, sentence, conflicts } = recorded;
    const said = sentence.predictions[asked.name];
    const verdict = answer.field === null || answer.label === "skip" ? "" : said.label === answer.label ? "agrees" : "differs";
    const others = conflicts.flatMap((conflict) => conflict.answers).filter((other) => other.annotator !== answer.annotator || other.id !== answer.id);
    this.last.replaceChildren(
      h("p", { class: "excerpt" }, shown(sentence.text.slice(0, 300))),
      h("p", { class: "verdict" }, "You ", chip(asked, answer.label), " · model ", chip(asked, said.label),
        h("span", { class: "quiet" }, ` ${percent(said.confidence)} sure`), verdict ? h("span", { class: `outcome ${verdict}` }, verdict) : ""),
      others.length ? h("p", { class: "clash" }, "In conflict with ", others.map((other) => h("span", {}, shown(other.annotator), " ", chip(asked, other.label), " ")), h("a", { href: "#/conflicts" }, "Resolve")) : "",
    );
  }

  onKey(key) {
    if (key === "u") this.undo();
    else if (!this.item) return false;
    else if (key === "s") this.answer("skip");
    else if (key === "b") this.answer("bad");
    else if (labelOf(state.field, key)) this.answer(labelOf(state.field, key));
    else if (state.field.is_stance && sentimentField() && labelOf(sentimentField(), key)) this.answerSentiment(labelOf(sentimentField(), key));
    else return false;
    return true;
  }

  onField() {
    this.next();
  }
}
