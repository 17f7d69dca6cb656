"""An evaluation as text for the terminal and as one self-contained HTML page that needs no script."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stanceline.charts import interval_chart, reliability_chart, risk_coverage_chart

Json = Mapping[str, Any]

_TEMPLATES = Path(__file__).parent / "templates"
_MISTAKES = 12  # a field on the page; errors.jsonl has all
_SLICE_ROWS = 40  # a slice on the page; metrics.json has all
FLOOR_NAMES = {
    "majority": "majority label",
    "tfidf": "TF-IDF",
    "target_blind": "TF-IDF, target-blind",
    "sentiment_as_stance": "VADER as stance",
    "vader": "VADER",
}
ABLATION_NAMES = {
    "context_removed": "– without context",
    "names_masked": "– names masked",
    "target_blind": "– target-blind",
}


def name_of(metrics: Json) -> str:
    """What was evaluated: the checkpoint's reference, or the file of predictions."""
    return str(metrics["checkpoint"]["reference"] if metrics["checkpoint"] else metrics["predictions"]["file"])


def charts_of(metrics: Json) -> dict[str, str]:
    """Every chart as SVG, by the name of its file."""
    charts = {}
    curves = {}
    for field, figures in metrics["fields"].items():
        rows = [(label, scores["f1_macro"], label == "this model") for label, scores in beside(figures)]
        charts[f"scores-{field}"] = interval_chart(rows, f"{field}: f1_macro beside floors and ceiling")
        if figures["calibration"] is not None:
            parts = {"as given": figures["calibration"]["as_given"]}
            if figures["calibration"]["cross_fitted"] is not None:
                parts["cross-fitted"] = figures["calibration"]["cross_fitted"]
            bins = {name: part["reliability"] for name, part in parts.items()}
            charts[f"reliability-{field}"] = reliability_chart(bins, f"{field}: accuracy against confidence")
            curves[field] = figures["coverage"]["risk_coverage"]
    if curves:
        charts["risk-coverage"] = risk_coverage_chart(curves, "Mistakes against coverage")
    return charts


def beside(figures: Json) -> Iterator[tuple[str, Json]]:
    """The model's scores, then what they are compared with."""
    yield "this model", figures["scores"]
    for name, scores in (figures["ablations"] or {}).items():
        yield ABLATION_NAMES[name], scores
    for name, scores in figures["floors"].items():
        yield FLOOR_NAMES[name], scores
    if figures["ceiling"]:
        yield "annotators", figures["ceiling"]["scores"]


def page(metrics: Json, charts: Mapping[str, str], mistakes: Sequence[Json], failures: Sequence[Json]) -> str:
    """The report as HTML.

    Args:
        metrics: The content of metrics.json.
        charts: From `charts_of`.
        mistakes: The rows of errors.jsonl.
        failures: The behavioural cases that failed.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"fig": figure_text, "pct": percent, "num": lambda n: f"{n:,}"}
    # The charts are our own markup, in which every text was escaped.
    safe = {name: Markup(chart) for name, chart in charts.items()}
    return environment.get_template("evaluation.html").render(
        metrics=metrics,
        name=name_of(metrics),
        charts=safe,
        beside={field: list(beside(figures)) for field, figures in metrics["fields"].items()},
        mistakes={field: [row for row in mistakes if row["field"] == field] for field in metrics["fields"]},
        shown=_MISTAKES,
        slice_rows=_SLICE_ROWS,
        failures=failures,
    )


def figure_text(figure: Json, digits: int = 3) -> str:
    """`0.751 [0.702, 0.790]`; a dash where it is undefined."""
    if figure["value"] is None:
        return "–"
    value = f"{figure['value']:.{digits}f}"
    return value if figure["low"] is None else f"{value} [{figure['low']:.{digits}f}, {figure['high']:.{digits}f}]"


def percent(value: float | None) -> str:
    """`62 %`; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.0f} %"


def as_text(metrics: Json) -> str:
    """The table for the terminal."""
    rows = metrics["data"]["rows"]
    lines = [
        f"{name_of(metrics)} on {', '.join(metrics['data']['files'])}: {metrics['data']['articles']:,} articles; "
        f"rows: {rows['used']:,} used, {rows['unlabelled']:,} unlabelled, {rows['refused']:,} refused"
    ]
    for field, figures in metrics["fields"].items():
        lines += ["", *_field_lines(field, figures)]
    stance = metrics["stance"]
    if stance is not None and len(stance["targets"]) > 1:
        pooled, mean = (figure_text(stance[f"f1_favor_against_{how}"]) for how in ("pooled", "mean"))
        lines += ["", f"f1_favor_against over {len(stance['targets'])} targets: pooled {pooled}, mean {mean}"]
    for kind, figures in (metrics["behavior"] or {}).items():
        rate = percent(figures["failure_rate"])
        lines.append(f"behaviour, {kind}: {figures['failed']} of {figures['cases']} cases fail ({rate})")
    for check in metrics["thresholds"]:
        value = "undefined" if check["value"] is None else f"{check['value']:.3f}"
        lines.append(
            f"{'reached' if check['passed'] else 'MISSED'}: {check['metric']} {value}, wanted {check['wanted']:g}"
        )
    return "\n".join(line.rstrip() for line in lines)


def _field_lines(field: str, figures: Json) -> Iterator[str]:
    # The second figure is the field's own: SemEval's for stances, macro recall for sentiment.
    own = "f1_favor_against" if "f1_favor_against" in figures["scores"] else "macro_recall"
    metrics = ["f1_macro", own, "accuracy", "cohen_kappa"]
    yield f"{field} ({figures['sentences']:,} sentences)"
    yield "  " + " " * 24 + "".join(f"{metric:<23}" for metric in metrics)
    for name, scores in beside(figures):
        yield f"  {name:<24}" + "".join(f"{figure_text(scores[metric]):<23}" for metric in metrics)
    if figures["absent_labels"]:
        yield f"  never gold, never predicted, counted as 0: {', '.join(figures['absent_labels'])}"
    calibration, coverage = figures["calibration"], figures["coverage"]
    if calibration is None:
        yield "  no calibration: the predictions have no probabilities"
        return
    crossed = calibration["cross_fitted"]
    fitted = f", cross-fitted {figure_text(crossed['expected_calibration_error'])}" if crossed else ""
    error = figure_text(calibration["as_given"]["expected_calibration_error"])
    yield f"  calibration error ({calibration['bins']} equal-mass bins): {error} as given{fitted}"
    point = coverage["at_accuracy"]["0.9"]
    if point is None:
        yield "  no threshold of the confidence reaches 90 % accuracy"
    else:
        kept = f"{percent(point['coverage'])} of the sentences (confidence from {point['threshold']:.2f})"
        yield f"  90 % accuracy is kept on {kept}"
