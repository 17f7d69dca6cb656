"""How far a confidence can be trusted: calibration errors, proper scores, and accuracy against coverage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanceline.errors import LabelError

Floats = NDArray[np.float64]

DEFAULT_BINS = 15


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions of similar confidence, and how often they are right."""

    lower: float  # confidences above it (in the lowest bin: from it on)
    upper: float  # and up to it
    count: int
    confidence: float  # mean; 0 in an empty bin
    accuracy: float  # 0 in an empty bin


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """What is kept when predictions below a confidence are set aside."""

    threshold: float  # the lowest confidence that is kept
    coverage: float  # share of the predictions that is kept
    risk: float  # share of those that is wrong


def reliability_bins(
    confidence: ArrayLike, correct: ArrayLike, *, bins: int = DEFAULT_BINS, equal_mass: bool = True
) -> tuple[ReliabilityBin, ...]:
    """The bins of a reliability diagram.

    Args:
        confidence: N confidences in [0, 1].
        correct: N truth values, in the same order: whether the prediction is right.
        bins: How many bins.
        equal_mass: Bins of equally many predictions (equal confidences stay together, which can make the bins fewer
            and uneven), or else bins of equal width, of which some may be empty.

    Returns:
        The bins by rising confidence; every prediction is in one of them.

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a confidence is outside [0, 1].
    """
    given, right = _checked(confidence, correct)
    if bins < 1:
        raise LabelError(f"{bins} bins: at least 1 is needed")
    edges = _equal_mass_edges(given, bins) if equal_mass else np.linspace(0.0, 1.0, bins + 1)
    place = np.searchsorted(edges[1:-1], given, side="left")  # a confidence on an edge belongs below it
    counts = np.bincount(place, minlength=len(edges) - 1)
    sums = np.bincount(place, weights=given, minlength=len(counts)), np.bincount(place, right, minlength=len(counts))
    means = [np.divide(total, counts, out=np.zeros(len(counts)), where=counts > 0) for total in sums]
    return tuple(
        ReliabilityBin(float(edges[i]), float(edges[i + 1]), int(counts[i]), float(means[0][i]), float(means[1][i]))
        for i in range(len(counts))
    )


def _equal_mass_edges(confidence: Floats, bins: int) -> Floats:
    """Edges at the highest confidence of each bin; a value that fills a bin is one edge, not two."""
    ordered = np.sort(confidence)
    last = np.ceil(np.arange(1, bins + 1) * len(ordered) / bins).astype(int) - 1
    uppers = np.unique(ordered[np.maximum(last, 0)])
    return np.concatenate([ordered[:1], uppers])


def expected_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, *, bins: int = DEFAULT_BINS, equal_mass: bool = True
) -> float:
    """Mean distance of confidence and accuracy over bins, each bin weighted by its share of the predictions.

    The figure depends on the binning, which has to be stated with it: by default 15 bins of equal mass.

    Worked: two bins, confidences 0.6 0.6 0.9 0.9, the first and the last two right. The bins have confidence 0.6 and
    accuracy 1/2, confidence 0.9 and accuracy 1: 2/4 * 0.1 + 2/4 * 0.1 = 0.1.

    Args:
        confidence: N confidences in [0, 1].
        correct: N truth values, in the same order.
        bins: How many bins.
        equal_mass: Bins of equally many predictions, or else of equal width.

    Returns:
        A fraction in [0, 1].

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a confidence is outside [0, 1].

    Source: Naeini et al. 2015 and Guo et al. 2017, https://arxiv.org/abs/1706.04599 (equal width); Nixon et al. 2019,
    https://arxiv.org/abs/1904.01685 (equal mass)
    """
    found = reliability_bins(confidence, correct, bins=bins, equal_mass=equal_mass)
    total = sum(part.count for part in found)
    return sum(part.count / total * abs(part.confidence - part.accuracy) for part in found)


def brier_score(probabilities: ArrayLike, gold: Sequence[str], labels: Sequence[str]) -> float:
    """Mean squared distance of the probabilities from the gold label, summed over the labels.

    Worked: probabilities 0.7 0.2 0.1, gold the first: 0.3^2 + 0.2^2 + 0.1^2 = 0.14.

    Args:
        probabilities: (N, L), a row adds up to 1.
        gold: N gold labels, in the same order.
        labels: The L declared labels, in the order of the columns.

    Returns:
        From 0 to 2; with L equal probabilities 1 - 1/L.

    Raises:
        LabelError: The shapes differ, there is nothing to score, a label is not declared, or a row is no distribution.

    Source: Brier 1950 (its multi-class form, not halved), https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    """
    given, codes = _checked_probabilities(probabilities, gold, labels)
    target = np.eye(len(labels))[codes]  # (N, L)
    return float(((given - target) ** 2).sum(1).mean())


def log_loss(probabilities: ArrayLike, gold: Sequence[str], labels: Sequence[str]) -> float:
    """Mean negative natural logarithm of the probability of the gold label.

    A probability of 0 is taken as the smallest step of a float (2.2e-16), which costs 36.04.

    Worked: gold labels that were given 0.5 and 0.25: (ln 2 + ln 4) / 2 = 1.5 ln 2 = 1.0397.

    Args:
        probabilities: (N, L), a row adds up to 1.
        gold: N gold labels, in the same order.
        labels: The L declared labels, in the order of the columns.

    Returns:
        From 0 up, in nats; with L equal probabilities ln L.

    Raises:
        LabelError: The shapes differ, there is nothing to score, a label is not declared, or a row is no distribution.
    """
    given, codes = _checked_probabilities(probabilities, gold, labels)
    floor = np.finfo(np.float64).eps
    return float(-np.log(np.maximum(given[np.arange(len(codes)), codes], floor)).mean())


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[CoveragePoint, ...]:
    """Risk against coverage: a point for each confidence that a threshold can be set at, the highest first.

    Worked: confidences 0.9 0.8 0.8 0.5, of which the second is wrong: (0.9: 1/4, risk 0), (0.8: 3/4, risk 1/3),
    (0.5: 1, risk 1/4).

    Args:
        confidence: N confidences in [0, 1].
        correct: N truth values, in the same order.

    Returns:
        Points by rising coverage; the last keeps everything.

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a confidence is outside [0, 1].

    Source: El-Yaniv and Wiener 2010, https://jmlr.org/papers/v11/el-yaniv10a.html
    """
    given, right = _checked(confidence, correct)
    order = np.argsort(-given, kind="stable")
    given, wrong = given[order], np.cumsum(1.0 - right[order])
    kept = np.flatnonzero(np.append(given[1:] != given[:-1], True)) + 1  # equal confidences cannot be told apart
    return tuple(
        CoveragePoint(float(given[n - 1]), float(n / len(given)), float(wrong[n - 1] / n)) for n in kept.tolist()
    )


def coverage_at_accuracy(confidence: ArrayLike, correct: ArrayLike, wanted: float) -> CoveragePoint | None:
    """The threshold that keeps the most while at least `wanted` of what is kept is right; None if none does.

    Worked, with the labels of `risk_coverage`: for an accuracy of 0.7 everything can be kept (3 of 4 are right),
    though at 0.8 the risk is higher; for 0.9 only the first.

    Args:
        confidence: N confidences in [0, 1].
        correct: N truth values, in the same order.
        wanted: The accuracy, in [0, 1].

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a confidence is outside [0, 1].
    """
    slack = 1e-12  # 1 - 0.1 is a little less than 0.9
    enough = [point for point in risk_coverage(confidence, correct) if 1.0 - point.risk >= wanted - slack]
    return enough[-1] if enough else None


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    given, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if given.ndim != 1 or given.shape != right.shape:
        raise LabelError(f"confidences {given.shape} and truth values {right.shape}: must be two lists of one length")
    if not len(given):
        raise LabelError("there is nothing to score: no confidence was given")
    if not ((given >= 0) & (given <= 1)).all():  # NaN fails too
        raise LabelError("a confidence is outside 0 to 1")
    return given, right


def _checked_probabilities(
    probabilities: ArrayLike, gold: Sequence[str], labels: Sequence[str]
) -> tuple[Floats, NDArray[np.int64]]:
    given = np.asarray(probabilities, dtype=np.float64)
    if not len(gold):
        raise LabelError("there is nothing to score: no gold label was given")
    if given.shape != (len(gold), len(labels)):
        raise LabelError(f"probabilities {given.shape} for {len(gold)} gold and {len(labels)} declared labels")
    # Files hold six digits, so that a row may be off by a little.
    if not ((given >= 0) & (given <= 1)).all() or not (np.abs(given.sum(1) - 1) < 1e-3).all():
        raise LabelError("the probabilities of a sentence are not from 0 to 1, or do not add up to 1")
    position = {label: number for number, label in enumerate(labels)}
    unknown = next((label for label in gold if label not in position), None)
    if unknown is not None:
        raise LabelError(f"{unknown!r} is not a declared label; use one of {', '.join(labels)}")
    return given, np.array([position[label] for label in gold], dtype=np.int64)
