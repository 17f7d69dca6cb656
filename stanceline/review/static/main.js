// Routes, the bar on top, keys, and the question to the server every few seconds what is new.

import { get, Refused } from "./api.js";
import { articleView } from "./article.js";
import { conflictsView } from "./conflicts.js";
import { corpusView } from "./corpus.js";
import { announce, byId, count, fieldTitle, h, percent, shown } from "./dom.js";
import { queueView } from "./queue.js";
import { annotator, banner, fields, loadHistory, setQuery, state } from "./state.js";

const VIEWS = { article: articleView, queue: queueView, corpus: corpusView, conflicts: conflictsView };
const POLL = 5000; // milliseconds
const TITLES = { article: "Article", queue: "Queue", corpus: "Corpus", conflicts: "Conflicts" };

let turns = 0;
let view = null; // what the current view offers: onKey(key), onField(), leave()

function parseHash() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const [, name = "article", id = null] = path.split("/");
  return { name: name in VIEWS ? name : "article", id, query: Object.fromEntries(new URLSearchParams(query)) };
}

async function route() {
  const { name, id, query } = parseHash();
  const wanted = fields().find((field) => field.name === query.field);
  if (wanted) chooseField(wanted);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[name]} – Stanceline review`;
  document.body.dataset.view = name;
  view?.leave?.();
  view = null;
  const place = byId("view");
  place.setAttribute("aria-busy", "true");
  place.replaceChildren(h("p", { class: "quiet loading" }, "Loading …"));
  const turn = ++turns;
  try {
    const opened = await VIEWS[name](place, id, query);
    if (turn !== turns) return opened.leave?.(); // somebody was faster
    view = opened;
  } catch (error) {
    place.replaceChildren(h("p", { class: "quiet loading" }, explain(error)));
  }
  place.setAttribute("aria-busy", "false");
}

export function explain(error) {
  if (error instanceof Refused) return error.message;
  if (error instanceof TypeError) return "The server does not answer. Is it still running?";
  throw error;
}

function chooseField(field) {
  state.field = field;
  for (const input of byId("fields").querySelectorAll("input")) input.checked = input.value === field.name;
}

function switchField(field) {
  chooseField(field);
  setQuery({ field: field.name });
  announce(`Showing ${fieldTitle(field.name)}`);
  view?.onField?.();
}

function drawFields() {
  const place = byId("fields");
  for (const field of fields()) {
    const input = h("input", { type: "radio", name: "field", value: field.name, onchange: () => switchField(field) });
    place.append(h("label", {}, input, h("span", {}, fieldTitle(field.name))));
  }
  chooseField(fields()[0]);
}

async function help() {
  const keys = [
    ["f a n x", "favor, against, neutral, none"],
    ["+ − 0", "positive, negative, neutral sentiment"],
    ["s", "skip: you can't tell"],
    ["b", "bad sentence: not fit to be labelled"],
    ["u", "undo your last answer"],
    ["t", "next target"],
    ["← → or j k", "sentence before, sentence after (article)"],
    ["Enter, Esc", "from the sentence to its answers, and back (article)"],
    ["?", "this help"],
  ];
  const list = h("dl", { class: "keys" }, keys.map(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)]));
  const { version, text } = await get("codebook");
  const codebook = text
    ? [h("h3", {}, "Codebook ", h("small", {}, `version ${version}`)), h("pre", { class: "codebook", tabindex: "0" }, shown(text))]
    : [];
  byId("dialog-content").replaceChildren(list, ...codebook);
  byId("dialog").showModal();
}

async function exportLabels() {
  const response = await fetch("/api/labels/export").catch(() => null);
  if (!response?.ok) {
    const body = await response?.json().catch(() => null);
    const message = body?.detail ?? "The server does not answer.";
    banner(`Not exported: ${message}`);
    return;
  }
  const link = h("a", { href: URL.createObjectURL(await response.blob()), download: "labels-for-training.jsonl" });
  link.click();
  URL.revokeObjectURL(link.href);
  const left = Number(response.headers.get("X-Left-Out"));
  const rest = left ? ` ${count(left, "answered sentence")} of other predictions left out.` : "";
  banner(null);
  announce(`Exported ${count(Number(response.headers.get("X-Labelled")), "labelled sentence")}.${rest}`);
  byId("export").textContent = "Exported";
  setTimeout(() => (byId("export").textContent = "Export"), 2000);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("dialog").open) return;
  const target = event.target;
  if (target.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=button])")) return;
  if (event.key === "?") return void help();
  if (event.key === "t") {
    const all = fields();
    return switchField(all[(all.indexOf(state.field) + 1) % all.length]);
  }
  if (view?.onKey?.(event.key, event)) event.preventDefault();
}

function showStatus(status) {
  const badge = byId("conflict-count");
  badge.hidden = !status.conflicts;
  badge.textContent = status.conflicts;
}

async function poll() {
  try {
    const status = await get("status");
    if (status.predictions !== state.status.predictions) banner("The server shows other predictions now. Load the page again.");
    else if (state.isAway) banner(null);
    state.isAway = false;
    showStatus(status);
  } catch (error) {
    if (error instanceof Refused) banner(error.message);
    else banner("The server does not answer. Is it still running?");
    state.isAway = true;
  }
}

// While the index is being made: how far it is.
async function untilReady() {
  for (;;) {
    const status = await get("status");
    if (status.is_ready) return status;
    const place = byId("view");
    const bar = h("progress", { max: "1", value: String(status.fraction), "aria-label": "Reading the predictions" });
    place.replaceChildren(
      h("div", { class: "loading" }, h("p", {}, `Reading ${status.predictions_name}`), bar,
        h("p", { class: "quiet" }, status.error || `${count(status.sentences, "sentence")}, ${percent(status.fraction)}. Once for this file.`)),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function start() {
  // The token has become a cookie: it need not stay in the address.
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  try {
    state.status = await untilReady();
  } catch (error) {
    byId("view").replaceChildren(h("p", { class: "quiet" }, explain(error)));
    return;
  }
  const name = byId("annotator");
  name.value = localStorage.getItem("annotator") ?? state.status.annotator;
  name.addEventListener("change", async () => {
    localStorage.setItem("annotator", annotator());
    await loadHistory();
    route();
  });
  drawFields();
  showStatus(state.status);
  await loadHistory();
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", onKey);
  byId("help").addEventListener("click", help);
  byId("export").addEventListener("click", exportLabels);
  setInterval(() => document.visibilityState === "visible" && poll(), POLL);
  await route();
}

start();
