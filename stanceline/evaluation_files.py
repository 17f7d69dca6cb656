"""The files of an evaluation: metrics.json, predictions.jsonl, errors.jsonl, evaluation.html and the plots."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stanceline.errors import OutputError
from stanceline.evaluation import Evaluation
from stanceline.evaluation_page import charts_of, page
from stanceline.label_files import group_articles
from stanceline.records import Example

METRICS = "metrics.json"
PREDICTIONS = "predictions.jsonl"
ERRORS = "errors.jsonl"
BEHAVIOR = "behavior_failures.jsonl"
PAGE = "evaluation.html"
_BEFORE, _AFTER = 2, 1  # sentences of context that a mistake is shown with


def write_report(evaluation: Evaluation, folder: Path, *, overwrite: bool = False) -> None:
    """Writes every file of the report into a folder.

    Raises:
        OutputError: A report is there already (and `overwrite` is not given), or the folder cannot be written.
    """
    check_folder(folder, overwrite=overwrite)
    mistakes = list(mistakes_of(evaluation))
    failures = behavior_failures(evaluation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(folder / METRICS, evaluation.metrics)
        _write_jsonl(folder / PREDICTIONS, (prediction.to_row() for prediction in evaluation.predictions))
        _write_jsonl(folder / ERRORS, mistakes)
        if evaluation.behavior is not None:
            _write_jsonl(folder / BEHAVIOR, failures)
        charts = charts_of(evaluation.metrics)
        for name, chart in charts.items():
            (folder / f"{name}.svg").write_text(chart, encoding="utf-8")
        (folder / PAGE).write_text(page(evaluation.metrics, charts, mistakes, failures), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from error


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that holds a report, before any work is done.

    Raises:
        OutputError: It does, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder for the report")
    if (folder / METRICS).exists() and not overwrite:
        raise OutputError(f"{folder}: holds a report already; name another folder, or give --force to replace it")


def mistakes_of(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Every wrong prediction with its context, the most confident first, those without a confidence last."""
    around = _neighbours(evaluation.examples)
    rows: list[dict[str, Any]] = []
    for name, part in evaluation.joined.items():
        confidence = part.confidence
        for place, example in enumerate(part.examples):
            if part.gold[place] == part.predicted[place]:
                continue
            before, after = around[example.key]
            rows.append(
                {
                    "field": name,
                    "gold": part.gold[place],
                    "predicted": part.predicted[place],
                    "confidence": None if confidence is None else round(float(confidence[place]), 6),
                    "article_id": example.article_id,
                    "sentence_index": example.sentence_index,
                    "title": example.title,
                    "source": example.source,
                    "before": before,
                    "text": example.text,
                    "after": after,
                }
            )
    yield from sorted(rows, key=lambda row: -(row["confidence"] or 0))


def behavior_failures(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The behavioural cases that failed, a row for each field that they failed in."""
    result = evaluation.behavior
    if result is None:
        return []
    return [
        {
            "id": failure.case.id,
            "kind": failure.case.kind,
            "capability": failure.case.capability,
            "field": failure.field,
            "wanted": failure.wanted,
            "found": failure.found,
            "text": failure.case.text,
            "changed": failure.case.changed,
        }
        for failure in result.failures
    ]


def _neighbours(examples: Iterable[Example]) -> Mapping[tuple[str, int], tuple[list[str], list[str]]]:
    found = {}
    for group in group_articles(examples):
        texts = [example.text for example in group]
        for place, example in enumerate(group):
            related = example.related
            before = texts[max(0, place - _BEFORE) : place] if related else []
            found[example.key] = before, texts[place + 1 : place + 1 + _AFTER] if related else []
    return found


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    # `allow_nan=False`: NaN is no JSON; what is undefined is null by then.
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            # NaN is a confidence that the predictions came without; it is no JSON.
            defined = {name: None if value != value else value for name, value in row.items()}
            file.write(json.dumps(defined, ensure_ascii=False, allow_nan=False) + "\n")
