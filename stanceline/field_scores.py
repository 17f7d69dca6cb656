"""Every figure of one field: scores with intervals, calibration, coverage, slices; they make up `metrics.json`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanceline.calibration import cross_fitted_temperatures
from stanceline.calibration_metrics import (
    DEFAULT_BINS,
    brier_score,
    coverage_at_accuracy,
    expected_calibration_error,
    log_loss,
    reliability_bins,
    risk_coverage,
)
from stanceline.intervals import bootstrap_counts, bootstrap_interval
from stanceline.joined import Joined
from stanceline.labels import STANCE_LABELS
from stanceline.metrics import (
    Counts,
    Floats,
    absent_labels,
    accuracy_of,
    cohen_kappa_of,
    confusion_by_group,
    confusion_matrix,
    f1_macro_of,
    favor_against_f1_of,
    macro_recall_of,
    per_label,
)
from stanceline.slices import Values, positions_by_value

Json = dict[str, Any]
ACCURACIES = (0.8, 0.85, 0.9, 0.95, 0.99)  # that coverage is reported at
_SLICE_METRICS = ("f1_macro", "f1_favor_against", "accuracy")
_CURVE_POINTS = 200  # of a risk-coverage curve at most
_SMALLEST_PROBABILITY = 1e-7  # files hold six digits; a 0 has no logarithm


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: by bootstrap over articles."""

    seed: int = 0
    samples: int = 1000
    level: float = 0.95


def metrics_for(labels: Sequence[str]) -> dict[str, Callable[..., Floats]]:
    """The metrics of a field with these labels: name -> a function of confusion counts."""
    metrics: dict[str, Callable[..., Floats]] = {"f1_macro": f1_macro_of}
    if {"favor", "against"} <= set(labels):
        metrics["f1_favor_against"] = lambda counts: favor_against_f1_of(counts, labels)
    return {**metrics, "macro_recall": macro_recall_of, "accuracy": accuracy_of, "cohen_kappa": cohen_kappa_of}


def figure(statistic: Callable[..., Floats], counts: Sequence[Counts], resampling: Resampling) -> Json:
    """A figure with its interval: `value`, `low`, `high`.

    The value is null where it is undefined (kappa of a single label), the interval where there is a single article.
    """
    value = float(statistic(*(part.sum(0, keepdims=True).astype(np.float64) for part in counts))[0])
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    if len(counts[0]) < 2:
        return {"value": value, "low": None, "high": None}
    interval = bootstrap_counts(
        statistic, counts, seed=resampling.seed, samples=resampling.samples, level=resampling.level
    )
    return {"value": interval.estimate, "low": interval.low, "high": interval.high}


def scores(part: Joined, resampling: Resampling, predicted: Sequence[str] | None = None) -> Json:
    """Each metric of a field, with its interval.

    Args:
        part: Gold and predictions.
        resampling: For the intervals.
        predicted: Other predictions of the same sentences, such as those of a floor.
    """
    labels = part.field.labels
    counts = confusion_by_group(part.gold, part.predicted if predicted is None else predicted, labels, part.articles)
    return {name: figure(statistic, [counts], resampling) for name, statistic in metrics_for(labels).items()}


def field_figures(part: Joined, resampling: Resampling, slicers: Mapping[str, Values]) -> Json:
    """Everything that is reported of one field's predictions."""
    labels = part.field.labels
    confidence = part.confidence
    return {
        "labels": list(labels),
        "sentences": len(part.gold),
        "articles": len(set(part.articles)),
        "absent_labels": list(absent_labels(part.gold, part.predicted, labels)),
        "scores": scores(part, resampling),
        "per_label": {name: asdict(score) for name, score in per_label(part.gold, part.predicted, labels).items()},
        "confusion": confusion_matrix(part.gold, part.predicted, labels).tolist(),
        "calibration": None if part.probabilities is None else _calibration(part, part.probabilities, resampling),
        "coverage": None if confidence is None else _coverage(part, confidence),
        "slices": {
            name: _slice_figures(part, positions_by_value(part.examples, values), resampling)
            for name, values in slicers.items()
        },
    }


def stance_figures(joined: Mapping[str, Joined], resampling: Resampling) -> Json | None:
    """SemEval-2016's two averages over the targets; None where favor and against are scored of no target."""
    parts = [part for part in joined.values() if {"favor", "against"} <= set(part.field.labels)]
    if not parts:
        return None
    order = list(dict.fromkeys(article for part in parts for article in part.articles))
    # Targets may be scored by different label maps; favor and against are common to all.
    counts = [_on_stance_labels(part, order) for part in parts]

    def pooled(*by_target: Floats) -> Floats:
        return favor_against_f1_of(np.sum(by_target, axis=0))

    def mean(*by_target: Floats) -> Floats:
        return np.asarray(np.mean([favor_against_f1_of(part) for part in by_target], axis=0))

    return {
        "targets": [part.field.name for part in parts],
        "f1_favor_against_pooled": figure(pooled, counts, resampling),
        "f1_favor_against_mean": figure(mean, counts, resampling),
    }


def _on_stance_labels(part: Joined, order: Sequence[str]) -> Counts:
    return confusion_by_group(part.gold, part.predicted, STANCE_LABELS, part.articles, order)


def agreement(part: Joined, resampling: Resampling) -> Json:
    """Of two annotators, joined as if the labels of one were predictions of the other's."""
    return {
        "sentences": len(part.gold),
        "articles": len(set(part.articles)),
        "scores": scores(part, resampling),
    }


def _calibration(part: Joined, probabilities: NDArray[np.float64], resampling: Resampling) -> Json:
    """Calibration as it is, and as it would be with temperatures fitted on the other articles of these very labels.

    The checkpoint may have been calibrated on the labels that it is evaluated on; the cross-fitted figure is not
    flattered by that.
    """
    labels = part.field.labels
    result: Json = {"bins": DEFAULT_BINS, "equal_mass": True, "as_given": _reliability(part, probabilities, resampling)}
    result["cross_fitted"] = None
    if len(set(part.articles)) > 1:
        logits = np.log(np.maximum(probabilities, _SMALLEST_PROBABILITY))
        gold = np.array([labels.index(label) for label in part.gold], dtype=np.int64)
        temperatures = cross_fitted_temperatures(logits, gold, part.articles, seed=resampling.seed)
        scaled = np.exp(logits / temperatures[:, None])
        refitted = scaled / scaled.sum(1, keepdims=True)
        result["cross_fitted"] = {
            **_reliability(part, refitted, resampling),
            "mean_temperature": float(temperatures.mean()),
        }
    return result


def _reliability(part: Joined, probabilities: NDArray[np.float64], resampling: Resampling) -> Json:
    places = [part.field.labels.index(label) for label in part.predicted]
    confidence = probabilities[np.arange(len(places)), places]
    correct = part.correct

    def error(rows: NDArray[np.int64]) -> float:
        return expected_calibration_error(confidence[rows], correct[rows])

    value: Json = {"value": error(np.arange(len(places))), "low": None, "high": None}
    if len(set(part.articles)) > 1:
        interval = bootstrap_interval(
            error, part.articles, seed=resampling.seed, samples=resampling.samples, level=resampling.level
        )
        value |= {"low": interval.low, "high": interval.high}
    return {
        "expected_calibration_error": value,
        "brier_score": brier_score(probabilities, part.gold, part.field.labels),
        "log_loss": log_loss(probabilities, part.gold, part.field.labels),
        "reliability": [asdict(found) for found in reliability_bins(confidence, correct)],
    }


def _coverage(part: Joined, confidence: NDArray[np.float64]) -> Json:
    correct = part.correct
    at_accuracy = {}
    for wanted in ACCURACIES:
        point = coverage_at_accuracy(confidence, correct, wanted)
        at_accuracy[str(wanted)] = None if point is None else asdict(point)
    curve = risk_coverage(confidence, correct)
    chosen = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), _CURVE_POINTS)).round().astype(int))
    return {"at_accuracy": at_accuracy, "risk_coverage": [asdict(curve[i]) for i in chosen]}


def _slice_figures(part: Joined, positions: Mapping[str, Sequence[int]], resampling: Resampling) -> list[Json]:
    found = []
    for value, chosen in positions.items():
        inside = part.take(chosen)
        labels = part.field.labels
        counts = [confusion_by_group(inside.gold, inside.predicted, labels, inside.articles)]
        metrics = {name: found for name, found in metrics_for(labels).items() if name in _SLICE_METRICS}
        found.append(
            {
                "value": value,
                "sentences": len(inside.gold),
                "articles": len(set(inside.articles)),
                "absent_labels": list(absent_labels(inside.gold, inside.predicted, labels)),
                **{name: figure(statistic, counts, resampling) for name, statistic in metrics.items()},
            }
        )
    return found
