"""Temperatures: fitted where they are best, and never on the article that they are reported for."""

import numpy as np
import pytest

from stanceline.calibration import cross_fitted_temperatures, fit_temperature, negative_log_likelihood


def sample(scale: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `scale` times too large, with gold labels drawn from the true probabilities."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=(count, 4)) * 2
    probabilities = np.exp(true) / np.exp(true).sum(-1, keepdims=True)
    gold = np.array([rng.choice(4, p=row) for row in probabilities])
    return true * scale, gold


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_overconfidence(scale: float):
    logits, gold = sample(scale)
    assert fit_temperature(logits, gold) == pytest.approx(scale, rel=0.08)


def test_no_other_temperature_is_more_likely():
    logits, gold = sample(2.0)
    best = negative_log_likelihood(logits, gold, fit_temperature(logits, gold))
    assert all(best <= negative_log_likelihood(logits, gold, t) + 1e-9 for t in np.linspace(0.2, 8, 60))


def test_nothing_to_fit_on_leaves_the_logits_alone():
    assert fit_temperature(np.zeros((0, 4)), np.zeros(0, dtype=int)) == 1.0


def test_cross_fitting_never_uses_an_article_for_itself():
    logits, gold = sample(2.0, 200)
    groups = [f"article {row // 10}" for row in range(200)]
    before = cross_fitted_temperatures(logits, gold, groups)
    changed = gold.copy()
    changed[:10] = (changed[:10] + 1) % 4
    after = cross_fitted_temperatures(logits, changed, groups)
    assert (before[:10] == after[:10]).all()
    assert (before != after).any()
