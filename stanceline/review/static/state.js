// What all views share: who answers, toward which target, and what the server shows.

import { get, post, newId } from "./api.js";
import { byId } from "./dom.js";

export const state = { status: null, field: null, history: [] };

export const annotator = () => byId("annotator").value.trim();
export const fields = () => state.status.fields;
export const sentimentField = () => fields().find((field) => !field.is_stance) ?? null;

export function banner(message) {
  const element = byId("banner");
  element.hidden = !message;
  element.textContent = message ?? "";
}

const waiting = (isWaiting) =>
  banner(isWaiting ? "The server does not answer. Your answer is kept here and sent as soon as it does." : null);

// Records an answer and remembers it for undo. Throws Refused.
export async function giveAnswer(sentence, answer) {
  const recorded = await post(
    "labels",
    {
      id: newId(),
      annotator: annotator(),
      article_id: sentence.article_id,
      sentence_index: sentence.sentence_index,
      predictions: state.status.predictions,
      ...answer,
    },
    waiting,
  );
  state.history.unshift(recorded.answer.id);
  return recorded;
}

export async function undoLast() {
  if (!state.history.length) return null;
  const undoes = state.history[0];
  const recorded = await post("labels/undo", { id: newId(), undoes, annotator: annotator() }, waiting);
  state.history.shift();
  return recorded;
}

// Before a page knows of its own answers, what this person answered earlier can be undone too.
export async function loadHistory() {
  state.history = [];
  if (!annotator()) return;
  const { answers } = await get("labels", { annotator: annotator(), limit: 100 });
  state.history = answers.map((answer) => answer.id);
}

export function setQuery(changes) {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const parameters = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") parameters.delete(name);
    else parameters.set(name, value);
  }
  const text = parameters.toString();
  history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
}
