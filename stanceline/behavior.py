"""Behavioural cases: does a label move when it must, and stay when it must?

A case is one JSON object a line:

    id, kind, capability                   `capability` names what is tested: negation, swap of countries, ...
    text                                   the sentence; `title` and `before` (the sentence before it) may be given
    expect            minimum_functionality   {field: label} that the sentence must get
    changed, fields              invariance   a variant of the sentence that must keep its labels in these fields
    changed, expect, expect_changed direction the labels that the sentence and its variant should have; the case passes
                                           where the probability of the variant's label rises by 0.1 or more

Source: Ribeiro et al. 2020 (CheckList), https://aclanthology.org/2020.acl-main.442/
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stanceline.errors import LabelError
from stanceline.label_rows import Place, read_rows
from stanceline.labels import LabelScheme
from stanceline.records import Article, Prediction, Sentence

KINDS = ("minimum_functionality", "invariance", "direction")
RISE = 0.1  # of the probability, that a direction case asks for
_KEYS = {
    "minimum_functionality": {"expect"},
    "invariance": {"changed", "fields"},
    "direction": {"changed", "expect", "expect_changed"},
}
_OPTIONAL = {"title", "before"}


@dataclass(frozen=True, slots=True)
class Case:
    """One behavioural case, checked."""

    id: str
    kind: str
    capability: str
    text: str  # the sentence that is asked about
    changed: str | None  # its variant
    article: Article
    variant: Article | None
    fields: tuple[str, ...]
    labels: Mapping[str, str]  # field -> label that the text, or in a direction the variant, should have


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that failed in one field."""

    case: Case
    field: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class BehaviorResult:
    """Which cases failed. A case fails when any of its fields does."""

    cases: tuple[Case, ...]
    failures: tuple[Failure, ...]

    def failed(self, kind: str, capability: str | None = None) -> tuple[int, int]:
        """How many cases of a kind (and capability) failed, and how many there are."""
        chosen = {c.id for c in self.cases if c.kind == kind and capability in (None, c.capability)}
        return len({failure.case.id for failure in self.failures} & chosen), len(chosen)


def read_cases(path: Path, scheme: LabelScheme) -> list[Case]:
    """Cases from a JSONL file.

    Raises:
        LabelError: A line is no case, an id comes twice, or a field or label is not one of the checkpoint's.
    """
    file = read_rows(path)
    if file.problems:
        raise LabelError("\n".join(map(str, file.problems)))
    cases: dict[str, Case] = {}
    for place, row in file.rows:
        case = _case(place, row, scheme)
        if case.id in cases:
            raise LabelError(f"{place}: id {case.id!r} stands in the file already")
        cases[case.id] = case
    if not cases:
        raise LabelError(f"{path}: holds no cases")
    return list(cases.values())


def _case(place: Place, row: Mapping[str, Any], scheme: LabelScheme) -> Case:
    kind = row.get("kind")
    if kind not in KINDS:
        raise LabelError(f"{place}: kind {kind!r}; use one of {', '.join(KINDS)}")
    needed = {"id", "kind", "capability", "text"} | _KEYS[kind]
    allowed = needed | _OPTIONAL
    for name in sorted(needed - set(row)):
        raise LabelError(f"{place}: no {name!r}, which a case of kind {kind} needs")
    for name in sorted(set(row) - allowed):
        raise LabelError(f"{place}: unknown key {name!r}; a case of kind {kind} has {', '.join(sorted(allowed))}")
    key, shape = {"invariance": ("fields", list), "direction": ("expect_changed", dict)}.get(kind, ("expect", dict))
    if not isinstance(row[key], shape):
        raise LabelError(f"{place}: {key} is {row[key]!r}, expected {'a list' if shape is list else 'field = label'}")
    fields, labels = tuple(row[key]), row[key] if shape is dict else {}
    known = {f.name: f.labels for f in scheme.fields}
    for name in fields:
        if name not in known:
            raise LabelError(f"{place}: no field {name!r} in the checkpoint; there are {', '.join(known)}")
        if name in labels and labels[name] not in known[name]:
            raise LabelError(f"{place}: {labels[name]!r} is not a label of {name}; use one of {', '.join(known[name])}")
    case_id, title, before = str(row["id"]), str(row.get("title", "")), str(row.get("before", ""))
    text, changed = str(row["text"]), str(row["changed"]) if "changed" in row else None
    variant = None if changed is None else _article(f"{case_id}/changed", title, before, changed)
    article = _article(case_id, title, before, text)
    return Case(case_id, kind, str(row["capability"]), text, changed, article, variant, fields, labels)


def _article(article_id: str, title: str, before: str, text: str) -> Article:
    sentences = tuple(Sentence(index, sentence) for index, sentence in enumerate((before, text) if before else (text,)))
    return Article(article_id=article_id, sentences=sentences, title=title)


def run_cases(cases: Sequence[Case], classify: Callable[[Iterable[Article]], Iterable[Prediction]]) -> BehaviorResult:
    """Classifies the cases with their variants, and finds those that fail."""
    articles = [article for case in cases for article in (case.article, case.variant) if article is not None]
    # The last sentence of an article is the one that is asked about; the others are its context.
    last = {prediction.article_id: prediction for prediction in classify(articles)}
    failures = []
    for case in cases:
        original = last[case.article.article_id]
        variant = last[case.variant.article_id] if case.variant is not None else None
        for name in case.fields:
            failure = _failure(case, name, original, variant)
            if failure is not None:
                failures.append(Failure(case, name, *failure))
    return BehaviorResult(tuple(cases), tuple(failures))


def _failure(case: Case, name: str, original: Prediction, variant: Prediction | None) -> tuple[str, str] | None:
    """What was wanted and what came, or None where it passed."""
    before = original.fields[name]
    if variant is None:
        return None if before.label == case.labels[name] else (case.labels[name], before.label)
    after = variant.fields[name]
    if case.kind == "invariance":
        return None if before.label == after.label else (before.label, after.label)
    label = case.labels[name]
    rise = after.probabilities[label] - before.probabilities[label]
    return None if rise >= RISE else (f"{label} to rise by {RISE}", f"{rise:+.2f}, now {after.label}")
