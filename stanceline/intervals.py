"""How sure a figure is: bootstrap over articles, and tests of one system against another.

Sentences of one article resemble each other, so that whole articles are drawn: an interval over sentences would be
too narrow.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanceline.errors import LabelError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its percentile interval."""

    estimate: float  # on all the data, not the mean of the resamples
    low: float
    high: float
    level: float  # 0.95: the share of resamples within
    samples: int  # resamples in which the figure was defined
    groups: int  # articles that were drawn from


@dataclass(frozen=True, slots=True)
class Difference:
    """B minus A on the same articles, with its interval and how surprising it would be if there were none."""

    interval: Interval
    p_value: float  # two-sided


@dataclass(frozen=True, slots=True)
class McNemar:
    """Where two systems part: only those sentences say which is better."""

    only_a: int  # sentences that only A has right
    only_b: int
    p_value: float  # two-sided, exact


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemar:
    """Exact McNemar test: are the sentences that only one system has right evenly divided?

    It takes sentences as independent, which those of one article are not; the paired bootstrap over articles does not.

    Worked: 1 sentence that only A has right, 5 that only B: the chance of at most 1 of 6 by tosses of a coin is
    (1 + 6) / 2^6 = 7/64; two-sided, 7/32.

    Args:
        correct_a: N truth values: whether A is right.
        correct_b: N truth values for B, in the same order.

    Raises:
        LabelError: The lengths differ, or there is nothing to compare.

    Source: McNemar 1947, https://doi.org/10.1007/BF02295996, in its exact binomial form
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise LabelError(f"truth values {a.shape} and {b.shape}: must be two lists of one length")
    if not len(a):
        raise LabelError("there is nothing to compare")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n = only_a + only_b
    term = tail = 1
    for k in range(1, min(only_a, only_b) + 1):  # whole numbers: no rounding, however many
        term = term * (n - k + 1) // k
        tail += term
    return McNemar(only_a, only_b, min(1.0, 2 * tail / 2**n))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    groups: Sequence[Hashable],
    *,
    seed: int,
    samples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The percentile interval of any figure; for functions of confusion counts, `bootstrap_counts` is faster.

    Args:
        statistic: From the positions of the sentences in a resample (repeated as drawn) to the figure; NaN where it
            is undefined there.
        groups: The group, mostly the article, of each of the N sentences.
        seed: Of the draws: the same seed over as many groups draws the same groups.
        samples: How many resamples.
        level: The share of the resamples that the interval holds.

    Raises:
        LabelError: There are fewer than two groups, or the figure is defined in no resample.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval), with groups
    as the units that are drawn
    """
    members: dict[Hashable, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    rows = [np.array(positions, dtype=np.int64) for positions in members.values()]
    draws = _draws(len(rows), seed, samples)
    values = np.array([statistic(np.concatenate([rows[g] for g in draw])) for draw in draws], dtype=np.float64)
    return _interval(float(statistic(np.arange(len(groups)))), values, level, len(rows))


def bootstrap_counts(
    statistic: Callable[..., Floats],
    counts: Sequence[NDArray[np.generic]],
    *,
    seed: int,
    samples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """`bootstrap_interval` for figures of counts that add up over articles: the same draws, all scored in one call.

    Args:
        statistic: From resampled counts, one (S, ...) array for each of `counts`, to S figures: `metrics.f1_macro_of`,
            or `lambda a, b: (f1_macro_of(a) + f1_macro_of(b)) / 2` for the mean of two fields.
        counts: Arrays (G, ...), mostly confusion counts (G, L, L) from `metrics.confusion_by_group`; the groups of all
            must be the same, in the same order.
        seed: Of the draws.
        samples: How many resamples.
        level: The share of the resamples that the interval holds.

    Raises:
        LabelError: The arrays have different groups, there are fewer than two, or the figure is defined in no resample.
    """
    estimate, values = _resampled(statistic, counts, seed, samples)
    return _interval(estimate, values, level, len(counts[0]))


def paired_difference(
    statistic: Callable[..., Floats],
    counts_a: Sequence[NDArray[np.generic]],
    counts_b: Sequence[NDArray[np.generic]],
    *,
    seed: int,
    samples: int = 1000,
    level: float = 0.95,
) -> Difference:
    """The figure of B minus that of A, both on the same resampled articles.

    The p value is twice the smaller share of resamples on one side of 0, each side counted with one more, so that it
    is never 0.

    Args:
        statistic: As in `bootstrap_counts`.
        counts_a: The counts of A, as in `bootstrap_counts`.
        counts_b: The counts of B, of the same articles in the same order.
        seed: Of the draws.
        samples: How many resamples.
        level: The share of the resamples that the interval holds.

    Raises:
        LabelError: A and B have different groups, there are fewer than two, or the figure is defined in no resample.

    Source: Koehn 2004, https://aclanthology.org/W04-3250/ (paired bootstrap); Davison and Hinkley 1997, chapter 4 (the
    one more)
    """

    def difference(*both: Floats) -> Floats:
        return statistic(*both[len(counts_a) :]) - statistic(*both[: len(counts_a)])

    estimate, values = _resampled(difference, [*counts_a, *counts_b], seed, samples)
    interval = _interval(estimate, values, level, len(counts_a[0]))
    below, above = int((values <= 0).sum()), int((values >= 0).sum())
    return Difference(interval, min(1.0, 2 * (min(below, above) + 1) / (interval.samples + 1)))


def _draws(groups: int, seed: int, samples: int) -> NDArray[np.int64]:
    if groups < 2:
        raise LabelError(f"an interval needs at least 2 articles to draw from, there is {groups}")
    if samples < 1:
        raise LabelError(f"{samples} resamples: at least 1 is needed")
    return np.random.default_rng(seed).integers(groups, size=(samples, groups))


def _resampled(
    statistic: Callable[..., Floats], counts: Sequence[NDArray[np.generic]], seed: int, samples: int
) -> tuple[float, Floats]:
    sizes = {len(part) for part in counts}
    if len(sizes) != 1:
        raise LabelError(f"counts of {sorted(sizes)} groups: they must be of the same articles, in the same order")
    (groups,) = sizes
    draws = _draws(groups, seed, samples)
    flat = (draws + np.arange(samples)[:, None] * groups).ravel()
    times = np.bincount(flat, minlength=samples * groups).reshape(samples, groups).astype(np.float64)  # (S, G)
    # Sums of whole numbers in floats are exact, and much faster than in integers.
    resampled = [
        (times @ part.reshape(groups, -1).astype(np.float64)).reshape(samples, *part.shape[1:]) for part in counts
    ]
    estimate = statistic(*(part.sum(0, keepdims=True).astype(np.float64) for part in counts))
    return float(estimate[0]), np.asarray(statistic(*resampled), dtype=np.float64)


def _interval(estimate: float, values: Floats, level: float, groups: int) -> Interval:
    defined = values[~np.isnan(values)]
    if not len(defined) or math.isnan(estimate):
        raise LabelError("an interval needs a figure that is defined; this one is not, on these labels")
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), level, len(defined), groups)
