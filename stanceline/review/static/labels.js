// The labels: their keys are their marks, so that a text mark tells what a key would answer.

import { h, fieldTitle, percent } from "./dom.js";

export const STANCE = { favor: "f", against: "a", neutral: "n", none: "x" };
export const SENTIMENT = { positive: "+", negative: "-", neutral: "0" };
const SENTIMENT_MARKS = { positive: "+", negative: "−", neutral: "·" };

export const keysOf = (field) => (field.is_stance ? STANCE : SENTIMENT);
export const labelOf = (field, key) => {
  const wanted = key === "=" ? "+" : key === "−" ? "-" : key;
  return Object.keys(keysOf(field)).find((label) => keysOf(field)[label] === wanted);
};
export const markOf = (field, label) => (field.is_stance ? STANCE[label]?.toUpperCase() : SENTIMENT_MARKS[label]);
export const sentimentMark = (label) => SENTIMENT_MARKS[label];
export const tintOf = (field, label) => (field.is_stance ? `tint-${label}` : `tone-${label}`);

export function chip(field, label) {
  const mark = label === "skip" ? "S" : label === "bad" ? "B" : markOf(field, label);
  return h("span", { class: `chip ${tintOf(field, label)}` }, h("b", { "aria-hidden": "true" }, mark ?? "?"), ` ${label}`);
}

export function probabilities(field, prediction) {
  const rows = field.labels.map((label) => {
    const share = prediction.probabilities[label];
    const bar = h("span", { class: `fill ${tintOf(field, label)}` });
    bar.style.width = `${share * 100}%`;
    return h(
      "div",
      { class: label === prediction.label ? "probability best" : "probability" },
      h("span", {}, label),
      h("span", { class: "track", "aria-hidden": "true" }, bar),
      h("span", { class: "number" }, percent(share)),
    );
  });
  return h("div", { class: "probabilities" }, rows);
}

// Buttons with the keys on them.
export function answerButtons(field, chosen, give) {
  const buttons = Object.entries(keysOf(field)).map(([label, key]) =>
    h(
      "button",
      {
        type: "button",
        class: `answer ${tintOf(field, label)}`,
        "aria-pressed": String(label === chosen),
        "aria-keyshortcuts": key,
        onclick: () => give(label),
      },
      h("kbd", { "aria-hidden": "true" }, key === "-" ? "−" : key.toUpperCase()),
      h("span", {}, fieldTitle(label)),
    ),
  );
  return h("div", { class: "answers", role: "group", "aria-label": fieldTitle(field.name) }, buttons);
}
