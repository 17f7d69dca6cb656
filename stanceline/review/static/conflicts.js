// Answers that contradict each other, and settling them.

import { get, Refused } from "./api.js";
import { askName, byline } from "./article.js";
import { announce, count, fieldTitle, h, percent, shown } from "./dom.js";
import { answerButtons, chip } from "./labels.js";
import { annotator, banner, fields, giveAnswer, undoLast } from "./state.js";

export async function conflictsView(place) {
  const view = new ConflictsView(place);
  await view.load();
  return view;
}

const time = (iso) => new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

class ConflictsView {
  constructor(place) {
    this.element = h("div", { class: "conflicts" });
    place.replaceChildren(this.element);
  }

  async load() {
    const { total, conflicts } = await get("labels/conflicts", { limit: 20 });
    const none = h("p", { class: "quiet" }, "Nobody contradicts anybody. The answers can be exported.");
    const lead = h("p", { class: "quiet" }, "An export waits until each of these is settled. What was answered stays in the file.");
    this.element.replaceChildren(h("h1", {}, total ? count(total, "conflict") : "No conflicts"), total ? lead : none, ...conflicts.map((conflict) => this.card(conflict)));
    if (total > conflicts.length) this.element.append(h("p", { class: "quiet" }, `${total - conflicts.length} more follow when these are settled.`));
  }

  card(conflict) {
    const field = fields().find((f) => f.name === conflict.field);
    const said = conflict.sentence.predictions[field.name];
    const rows = conflict.answers.map((answer) => h("li", {}, h("b", {}, shown(answer.annotator)), " ", chip(field, answer.label), h("span", { class: "quiet" }, ` ${time(answer.time)}`)));
    const link = h("a", { href: `#/article/${conflict.sentence.article}?s=${conflict.sentence.id}&field=${field.name}` }, "In its article");
    return h("section", { class: "card" },
      h("p", { class: "byline" }, h("cite", {}, shown(conflict.sentence.title)), byline(conflict.sentence), " · ", link),
      h("p", { class: "asked" }, shown(conflict.sentence.text)),
      h("h2", { class: "question" }, fieldTitle(field.name)),
      h("ul", { class: "who" }, rows, h("li", {}, h("b", {}, "model"), " ", chip(field, said.label), h("span", { class: "quiet" }, ` ${percent(said.confidence)} sure`))),
      h("h3", {}, "Settle as"),
      answerButtons(field, null, (label) => this.settle(conflict, label)),
      h("div", { class: "minor" }, h("button", { type: "button", onclick: () => this.settle(conflict, "bad") }, "Bad sentence")));
  }

  async settle(conflict, label) {
    if (!annotator()) return askName();
    try {
      // A sentence settled as bad has no label in any field: all that stands about it is settled with it.
      const isBad = label === "bad";
      const all = isBad ? (await get(`predictions/${conflict.sentence.id}`)).sentence.answers : conflict.answers;
      await giveAnswer(conflict.sentence, { field: isBad ? null : conflict.field, label, is_resolution: true, replaces: all.map((answer) => answer.id) });
      announce(`Settled as ${label}`);
      await this.load();
      this.element.querySelector("button")?.focus();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      banner(error.message);
    }
  }

  onKey(key) {
    if (key !== "u") return false;
    undoLast().then((recorded) => {
      announce(recorded ? "Undone" : "Nothing to undo");
      return this.load();
    });
    return true;
  }
}
