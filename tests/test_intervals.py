import math
import time

import numpy as np
import pytest
from scipy import stats

from stanceline import intervals, metrics
from stanceline.errors import LabelError
from stanceline.labels import STANCE_LABELS


def labelled(articles=60, sentences=8, accuracy=0.7, seed=0):
    draw = np.random.default_rng(seed)
    size = articles * sentences
    gold = draw.integers(4, size=size)
    predicted = np.where(draw.random(size) < accuracy, gold, draw.integers(4, size=size))
    groups = [f"article-{number}" for number in np.repeat(np.arange(articles), sentences)]
    return [STANCE_LABELS[i] for i in gold], [STANCE_LABELS[i] for i in predicted], groups


def counts_of(gold, predicted, groups):
    return metrics.confusion_by_group(gold, predicted, STANCE_LABELS, groups)


def test_the_fast_bootstrap_is_the_general_one():
    gold, predicted, groups = labelled()
    gold_array, predicted_array = np.array(gold), np.array(predicted)

    def f1_macro(positions):
        return metrics.f1_macro(gold_array[positions].tolist(), predicted_array[positions].tolist(), STANCE_LABELS)

    general = intervals.bootstrap_interval(f1_macro, groups, seed=4, samples=200)
    fast = intervals.bootstrap_counts(metrics.f1_macro_of, [counts_of(gold, predicted, groups)], seed=4, samples=200)
    assert (fast.low, fast.high, fast.estimate) == pytest.approx((general.low, general.high, general.estimate))


def test_the_estimate_is_the_figure_on_all_the_data_and_lies_within():
    gold, predicted, groups = labelled()
    found = intervals.bootstrap_counts(metrics.f1_macro_of, [counts_of(gold, predicted, groups)], seed=0)
    assert found.estimate == metrics.f1_macro(gold, predicted, STANCE_LABELS)
    assert found.low < found.estimate < found.high
    assert (found.samples, found.groups, found.level) == (1000, 60, 0.95)


def test_a_seed_gives_the_same_interval_and_another_seed_another():
    counts = [counts_of(*labelled())]
    first, again, other = (intervals.bootstrap_counts(metrics.accuracy_of, counts, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_interval_of_an_accuracy_is_about_that_of_the_formula():
    gold, predicted, _ = labelled(articles=1, sentences=2000)
    found = intervals.bootstrap_counts(
        metrics.accuracy_of, [counts_of(gold, predicted, list(range(2000)))], seed=0, samples=2000
    )
    p = found.estimate
    assert found.high - found.low == pytest.approx(2 * 1.96 * math.sqrt(p * (1 - p) / 2000), rel=0.08)


def test_articles_that_agree_with_themselves_widen_the_interval():
    gold = ["favor"] * 400
    predicted = ["favor" if (n // 20) % 2 else "against" for n in range(400)]  # whole articles right or wrong
    by_article = intervals.bootstrap_counts(
        metrics.accuracy_of, [counts_of(gold, predicted, [n // 20 for n in range(400)])], seed=0
    )
    by_sentence = intervals.bootstrap_counts(
        metrics.accuracy_of, [counts_of(gold, predicted, list(range(400)))], seed=0
    )
    assert by_article.high - by_article.low > 3 * (by_sentence.high - by_sentence.low)


def test_a_wider_level_holds_a_narrower_one():
    counts = [counts_of(*labelled())]
    wide, narrow = (
        intervals.bootstrap_counts(metrics.f1_macro_of, counts, seed=0, level=level) for level in (0.99, 0.8)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_mean_of_two_fields_is_resampled_by_the_same_articles():
    first, second = counts_of(*labelled(seed=1)), counts_of(*labelled(seed=1))

    def mean(a, b):
        return (metrics.f1_macro_of(a) + metrics.f1_macro_of(b)) / 2

    both = intervals.bootstrap_counts(mean, [first, second], seed=0)
    assert both == intervals.bootstrap_counts(metrics.f1_macro_of, [first], seed=0)


def test_a_thousand_resamples_of_seven_hundred_articles_take_well_under_a_second():
    counts = [counts_of(*labelled(articles=700, sentences=10))]
    start = time.perf_counter()
    intervals.bootstrap_counts(metrics.f1_macro_of, counts, seed=0)
    assert time.perf_counter() - start < 1


def test_a_better_system_is_shown_to_be_better_and_equal_ones_are_not():
    gold, worse, groups = labelled(accuracy=0.5, seed=2)
    better = [g if n % 3 else w for n, (g, w) in enumerate(zip(gold, worse, strict=True))]
    a, b = counts_of(gold, worse, groups), counts_of(gold, better, groups)
    found = intervals.paired_difference(metrics.f1_macro_of, [a], [b], seed=0)
    expected = metrics.f1_macro(gold, better, STANCE_LABELS) - metrics.f1_macro(gold, worse, STANCE_LABELS)
    assert found.interval.estimate == pytest.approx(expected)
    assert found.interval.low > 0
    assert 0 < found.p_value < 0.01
    same = intervals.paired_difference(metrics.f1_macro_of, [a], [a], seed=0)
    assert (same.interval.low, same.interval.high, same.p_value) == (0, 0, 1)


def test_a_difference_changes_its_sign_with_the_order():
    gold, one, groups = labelled(seed=3)
    _, other, _ = labelled(seed=4)
    a, b = counts_of(gold, one, groups), counts_of(gold, other, groups)
    forth = intervals.paired_difference(metrics.accuracy_of, [a], [b], seed=0)
    back = intervals.paired_difference(metrics.accuracy_of, [b], [a], seed=0)
    assert (forth.interval.low, forth.interval.high) == pytest.approx((-back.interval.high, -back.interval.low))
    assert forth.p_value == back.p_value


def test_resamples_without_a_defined_figure_are_left_out_and_counted():
    gold, predicted = ["favor", "against", "favor"], ["favor", "against", "against"]
    counts = [counts_of(gold, predicted, ["a", "b", "c"])]
    found = intervals.bootstrap_counts(metrics.cohen_kappa_of, counts, seed=0)
    assert 0 < found.samples < 1000  # in a resample of one article only, kappa is undefined
    assert not math.isnan(found.low)


def test_an_undefined_figure_has_no_interval():
    counts = [counts_of(["favor"] * 2, ["favor"] * 2, ["a", "b"])]
    with pytest.raises(LabelError, match="not, on these labels"):
        intervals.bootstrap_counts(metrics.cohen_kappa_of, counts, seed=0)


def test_one_article_has_no_interval():
    with pytest.raises(LabelError, match="at least 2 articles"):
        intervals.bootstrap_interval(lambda positions: 1.0, ["a", "a"], seed=0)


def test_counts_of_different_articles_are_refused():
    with pytest.raises(LabelError, match="of the same articles"):
        intervals.bootstrap_counts(metrics.f1_macro_of, [np.ones((3, 4, 4)), np.ones((2, 4, 4))], seed=0)


def test_the_worked_example_of_mcnemar_comes_out():
    a = [True] * 4 + [True] + [False] * 5
    b = [True] * 4 + [False] + [True] * 5
    assert intervals.mcnemar(a, b) == intervals.McNemar(1, 5, 7 / 32)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (0, 1), (3, 3), (2, 9), (40, 25), (1000, 1100), (0, 1200)])
def test_mcnemar_is_the_binomial_test_of_scipy(only_a, only_b):
    a = [True] * only_a + [False] * only_b + [True]
    b = [False] * only_a + [True] * only_b + [True]
    n = only_a + only_b
    expected = stats.binomtest(only_a, n).pvalue if n else 1.0
    assert intervals.mcnemar(a, b).p_value == pytest.approx(expected)


@pytest.mark.parametrize(("a", "b", "message"), [([True], [], "of one length"), ([], [], "nothing to compare")])
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(LabelError, match=message):
        intervals.mcnemar(a, b)
