"""The figures of an evaluation as a section of the model card, with its reliability diagrams.

Mistakes are not quoted from the evaluated labels, whose texts may not be the checkpoint's to pass on: the examples are
behavioural cases.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stanceline.card import replace_evaluation
from stanceline.errors import OutputError
from stanceline.evaluation_page import beside, charts_of, figure_text, percent

Json = Mapping[str, Any]

FIGURES = "figures"  # folder of the diagrams inside the checkpoint
_WEAKEST = 3  # values of a slice that are named
_SMALLEST_SLICE = 20  # sentences; below it an accuracy says little
_NOT_WEAKNESSES = frozenset({"length", "position", "country"})
_EXAMPLES = 2  # failed cases of a kind


def write_figures(folder: Path, metrics: Json, failures: Sequence[Json]) -> Path:
    """Writes the section into the card of a checkpoint, and the diagrams beside it.

    Args:
        folder: The checkpoint.
        metrics: The content of metrics.json.
        failures: The behavioural cases that failed, as in behavior_failures.jsonl.

    Returns:
        The card.

    Raises:
        CheckpointError: The checkpoint has no card.
        OutputError: The folder cannot be written.
    """
    charts = {name: chart for name, chart in charts_of(metrics).items() if name.startswith("reliability-")}
    try:
        (folder / FIGURES).mkdir(exist_ok=True)
        for name, chart in charts.items():
            (folder / FIGURES / f"{name}.svg").write_text(chart, encoding="utf-8")
        return replace_evaluation(folder, "\n".join(_section(metrics, failures)))
    except OSError as error:
        raise OutputError(f"{folder}: the card cannot be written: {error.strerror}") from error


def _section(metrics: Json, failures: Sequence[Json]) -> Iterator[str]:
    data = metrics["data"]
    names = ", ".join(f"`{Path(file).name}` ({digest[:12]})" for file, digest in data["files"].items())
    level = metrics["resampling"]["level"]
    yield "## Evaluation\n"
    yield (
        f"On {names}: {data['rows']['used']:,} labelled sentences in {data['articles']:,} articles, "
        f"{metrics['created'][:10]}, stanceline {metrics['versions']['stanceline']}. "
        f"Intervals hold {level:.0%} of {metrics['resampling']['samples']:,} resamples of whole articles.\n"
    )
    yield from _scores(metrics)
    yield from _calibration(metrics)
    if metrics["behavior"]:
        yield from _behavior(metrics["behavior"], failures)
    yield from _weakest(metrics)


def _scores(metrics: Json) -> Iterator[str]:
    fields = metrics["fields"]
    yield "| field | f1_macro | f1_favor_against | accuracy | kappa |"
    yield "| --- | --- | --- | --- | --- |"
    for field, figures in fields.items():
        scores = figures["scores"]
        own = figure_text(scores["f1_favor_against"]) if "f1_favor_against" in scores else "–"
        rest = " | ".join(figure_text(scores[name]) for name in ("accuracy", "cohen_kappa"))
        yield f"| {field} | {figure_text(scores['f1_macro'])} | {own} | {rest} |"
    yield "\nf1_macro of the same model with something taken away (–), of floors, and the annotators' agreement:\n"
    rows: dict[str, dict[str, str]] = {}
    for field, figures in fields.items():
        for name, scores in beside(figures):
            rows.setdefault(name, {})[field] = figure_text(scores["f1_macro"])
    yield f"| | {' | '.join(fields)} |"
    yield f"| --- |{' --- |' * len(fields)}"
    for name, cells in rows.items():
        yield f"| {name} | {' | '.join(cells.get(field, '') for field in fields)} |"
    yield ""


def _calibration(metrics: Json) -> Iterator[str]:
    calibrated = {field: f for field, f in metrics["fields"].items() if f["calibration"]}
    if not calibrated:
        return
    bins = next(iter(calibrated.values()))["calibration"]["bins"]
    yield "### Confidence\n"
    yield f"Expected calibration error, {bins} bins of equal mass: cross-fitted by article, and as shipped.\n"
    yield "| field | cross-fitted | as shipped | Brier | kept at 90 % accuracy |"
    yield "| --- | --- | --- | --- | --- |"
    for field, figures in calibrated.items():
        calibration, point = figures["calibration"], figures["coverage"]["at_accuracy"]["0.9"]
        crossed = calibration["cross_fitted"]
        shipped = calibration["as_given"]
        fitted = figure_text(crossed["expected_calibration_error"]) if crossed else "–"
        kept = percent(point["coverage"]) if point else "none"
        error = figure_text(shipped["expected_calibration_error"])
        yield f"| {field} | {fitted} | {error} | {shipped['brier_score']:.3f} | {kept} |"
    yield ""
    yield " ".join(f"![{field}: reliability diagram]({FIGURES}/reliability-{field}.svg)" for field in calibrated)
    yield ""


def _behavior(behavior: Json, failures: Sequence[Json]) -> Iterator[str]:
    yield "### Behavioural cases\n"
    yield "| kind | cases | fail | by capability |"
    yield "| --- | --- | --- | --- |"
    for kind, figures in behavior.items():
        parts = ", ".join(
            f"{name.replace('_', ' ')} {found['failed']}/{found['cases']}"
            for name, found in figures["capabilities"].items()
        )
        yield f"| {kind.replace('_', ' ')} | {figures['cases']} | {percent(figures['failure_rate'])} | {parts} |"
    yield "\nSome that fail:\n"
    for kind in behavior:
        for row in [row for row in failures if row["kind"] == kind][:_EXAMPLES]:
            change = f" → “{row['changed']}”" if row["changed"] else ""
            yield f"- {row['field']}: “{row['text']}”{change} Wanted {row['wanted']}, found {row['found']}."
    yield ""


def _weakest(metrics: Json) -> Iterator[str]:
    lines = []
    for field, figures in metrics["fields"].items():
        for name, parts in figures["slices"].items():
            large = [part for part in parts if part["sentences"] >= _SMALLEST_SLICE]
            if name in _NOT_WEAKNESSES or len(large) < 2:
                continue
            worst = sorted(large, key=lambda part: part["accuracy"]["value"])[:_WEAKEST]
            named = "; ".join(
                f"{part['value']} {figure_text(part['accuracy'], 2)} (n = {part['sentences']})" for part in worst
            )
            lines.append(f"- {field} by {name}: {named}")
    if lines:
        yield f"### Where it is weakest\n\nAccuracy of the worst slices of {_SMALLEST_SLICE} sentences or more.\n"
        yield from lines
