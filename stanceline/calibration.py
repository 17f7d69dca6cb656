"""Temperature scaling: one divisor of the logits a field, so that a confidence means what it says."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]  # (N, C)
Gold = NDArray[np.int64]  # (N,)

_LOG_RANGE = (np.log(0.1), np.log(10.0))


def negative_log_likelihood(logits: Logits, gold: Gold, temperature: float) -> float:
    """Mean negative log-likelihood of the gold labels, in nats."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(-1, keepdims=True)
    log_probabilities = scaled - np.log(np.exp(scaled).sum(-1, keepdims=True))
    return float(-log_probabilities[np.arange(len(gold)), gold].mean())


def fit_temperature(logits: Logits, gold: Gold) -> float:
    """The temperature in [0.1, 10] that maximizes the likelihood of the gold labels.

    The likelihood has one maximum in the inverse temperature, so a golden-section search finds it.

    Args:
        logits: (N, C).
        gold: (N,) label indices, all >= 0.

    Returns:
        1.0 where there is nothing to fit on.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    if len(gold) == 0:
        return 1.0
    low, high = _LOG_RANGE
    ratio = (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if negative_log_likelihood(logits, gold, np.exp(left)) < negative_log_likelihood(logits, gold, np.exp(right)):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def cross_fitted_temperatures(
    logits: Logits, gold: Gold, groups: Sequence[Hashable], *, folds: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """(N,) a temperature for each row that was fitted without the row's own article.

    For reporting calibration on the very labels that it is fitted on.

    Args:
        logits: (N, C).
        gold: (N,) label indices.
        groups: N article ids.
        folds: Parts that the articles are divided into.
        seed: Of the division.
    """
    names = sorted(set(groups), key=str)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[place]: rank % folds for rank, place in enumerate(order)}
    assigned = np.array([fold_of[group] for group in groups])
    temperatures = np.ones(len(gold))
    for fold in range(folds):
        inside = assigned == fold
        temperatures[inside] = fit_temperature(logits[~inside], gold[~inside])
    return temperatures
