"""The simulations here are what the method was chosen by."""

import time

import numpy as np
import pytest

from stanceline.errors import LabelError
from stanceline.quantification import Quantifier, net_stance, recalls

# Four labels whose sentences lie around four points; a classifier that knows the points and the shares on dev is right
# for about four sentences in five.
POINTS = 1.3 * np.array([[1.6, 0, 0.3, 0], [0, 1.6, 0.3, 0], [0.4, 0.5, 1.0, 0.3], [0, 0, 0.4, 1.7]])
DEV = np.array([0.2, 0.25, 0.15, 0.4])
CRITICAL = np.array([0.05, 0.4, 0.1, 0.45])
RARE = np.array([0.02, 0.03, 0.05, 0.9])


def probabilities(rng, gold, overconfident, drift=0.0):
    """What the classifier gives; the overconfident one also leans toward the first label, away from the second.

    Where the text is of another kind, the points have drifted from where the classifier knows them to be.
    """
    x = (POINTS + rng.normal(scale=drift, size=(4, 4)))[gold] + rng.normal(size=(len(gold), 4))
    temperature, lean = (0.6, np.array([0.5, -0.4, 0, 0])) if overconfident else (1.0, np.zeros(4))
    logits = -((x[:, None] - POINTS) ** 2).sum(-1) / 2 / temperature + np.log(DEV) + lean
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def confusion_of(gold, predicted):
    counts = np.zeros((4, 4), dtype=int)
    np.add.at(counts, (gold, predicted), 1)
    return counts


def corpus(rng, truth, articles, overconfident=False, drift=0.0):
    """Predicted counts of articles that differ, and the probabilities of each of their sentences."""
    mixes = rng.dirichlet(truth * 6, size=articles)
    article = np.repeat(np.arange(articles), rng.poisson(14, size=articles) + 1)
    gold = (rng.random((len(article), 1)) > mixes[article].cumsum(1)).sum(1).clip(max=3)
    given = probabilities(rng, gold, overconfident, drift)
    counts = np.zeros((articles, 4), dtype=int)
    np.add.at(counts, (article, given.argmax(1)), 1)
    return counts, given, article


def expectation_maximization(given, prior):
    """Saerens et al. 2002, section 2.2."""
    shares = prior
    for _ in range(60):
        corrected = given / prior * shares
        shares = (corrected / corrected.sum(1, keepdims=True)).mean(0)
    return shares


def simulate(truth, *, rounds, dev=600, articles=60, overconfident=False, drift=0.0, em_resamples=0):
    """Over many corpora: the share of the intervals that hold the truth, and the mean error, of each method."""
    rng = np.random.default_rng(7)
    held = {"counted": [], "adjusted": [], "undiscounted": [], "em": []}
    error = {"counted": [], "adjusted": [], "undiscounted": [], "em": []}
    for _ in range(rounds):
        gold = rng.choice(4, size=dev, p=DEV)
        confusion = confusion_of(gold, probabilities(rng, gold, overconfident).argmax(1))
        counts, given, article = corpus(rng, truth, articles, overconfident, drift)
        shares = Quantifier(confusion, 4).shares(counts)
        # Four times the dev labels are as much without the discount for other kinds of text.
        undiscounted = Quantifier(4 * confusion, 4).shares(counts)
        for name, estimates in (
            ("counted", shares.counted),
            ("adjusted", shares.adjusted),
            ("undiscounted", undiscounted.adjusted),
        ):
            held[name].append([e.low <= t <= e.high for e, t in zip(estimates, truth, strict=True)])
            error[name].append([abs(e.value - t) for e, t in zip(estimates, truth, strict=True)])
        if em_resamples:
            prior = confusion.sum(1) / dev
            error["em"].append(abs(expectation_maximization(given, prior) - truth))
            members = [np.flatnonzero(article == number) for number in range(articles)]
            draws = [
                np.concatenate([members[i] for i in rng.integers(articles, size=articles)]) for _ in range(em_resamples)
            ]
            resampled = [expectation_maximization(given[draw], prior) for draw in draws]
            low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
            held["em"].append((low <= truth) & (truth <= high))
    return {n: np.mean(h) for n, h in held.items() if h}, {n: np.mean(e) for n, e in error.items() if e}


@pytest.mark.parametrize("truth", [DEV, CRITICAL, RARE], ids=["as-dev", "critical", "rare"])
def test_the_interval_holds_the_truth_where_the_model_errs_as_on_dev(truth):
    coverage, _ = simulate(truth, rounds=60)  # 240 intervals: the standard error of the share is about 0.02
    assert 0.90 <= coverage["undiscounted"] <= 0.99  # as it should be, were text always of one kind
    assert coverage["adjusted"] >= 0.95
    assert coverage["counted"] < 0.75  # an interval that forgets the model's errors


@pytest.mark.parametrize("truth", [DEV, CRITICAL, RARE], ids=["as-dev", "critical", "rare"])
def test_the_interval_holds_the_truth_where_the_text_is_of_another_kind(truth):
    coverage, _ = simulate(truth, rounds=60, drift=0.3)  # error rates then differ by 3 times the variance of chance
    assert coverage["adjusted"] >= 0.85
    assert coverage["undiscounted"] < coverage["adjusted"] - 0.05


def test_the_adjusted_count_is_closer_than_the_plain_count_where_the_corpus_is_unlike_dev():
    _, error = simulate(RARE, rounds=30)
    assert error["adjusted"] < 0.6 * error["counted"]


def test_few_articles_make_the_interval_too_narrow_and_are_said_not_to_be_enough():
    few, _ = simulate(CRITICAL, rounds=60, articles=4)
    assert few["adjusted"] < 0.9
    counts, _, _ = corpus(np.random.default_rng(0), CRITICAL, 4)
    assert not Quantifier(np.eye(4) * 50, 4).shares(counts).is_enough


@pytest.mark.slow
def test_the_adjusted_count_was_chosen_over_expectation_maximization_because_its_interval_holds():
    coverage, error = simulate(CRITICAL, rounds=25, em_resamples=30)
    leaning_coverage, leaning_error = simulate(CRITICAL, rounds=25, em_resamples=30, overconfident=True)
    # With perfect probabilities both are about as close, but the interval of EM knows nothing of the model's errors.
    assert error["em"] < 1.2 * error["adjusted"]
    assert coverage["em"] < 0.9 <= coverage["adjusted"]
    # With probabilities as networks give them, EM is farther off, and its interval mostly misses.
    assert leaning_error["adjusted"] < leaning_error["em"]
    assert leaning_coverage["em"] < 0.75
    assert leaning_coverage["adjusted"] >= 0.9


def test_a_model_that_never_errs_leaves_the_counts_nearly_as_they_are():
    counts = np.tile([3, 5, 1, 11], (40, 1))
    shares = Quantifier(np.eye(4) * 10_000, 4).shares(counts)
    assert [e.value for e in shares.adjusted] == pytest.approx([0.15, 0.25, 0.05, 0.55], abs=0.01)


def test_known_error_rates_are_undone():
    rates = np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.8, 0.05, 0.1], [0.1, 0.1, 0.6, 0.2], [0.02, 0.03, 0.05, 0.9]])
    counts = np.tile((1000 * CRITICAL @ rates).round(), (40, 1))
    shares = Quantifier(rates * 100_000, 4).shares(counts)
    assert [e.value for e in shares.adjusted] == pytest.approx(CRITICAL, abs=0.005)


def test_a_model_that_says_the_same_of_everything_leaves_the_shares_open():
    confusion = np.zeros((4, 4))
    confusion[:, 3] = [20, 20, 20, 60]
    shares = Quantifier(confusion, 4).shares(np.tile([0, 0, 0, 10], (30, 1)))
    assert all(e.high - e.low > 0.2 for e in shares.adjusted)
    assert shares.counted[3].value == 1.0


def test_adjusted_shares_sum_to_one_and_lie_in_their_intervals():
    counts, _, _ = corpus(np.random.default_rng(3), RARE, 30)
    shares = Quantifier(np.eye(4) * 30 + 5, 4).shares(counts)
    assert sum(e.value for e in shares.adjusted) == pytest.approx(1)
    assert all(0 <= e.low <= e.value <= e.high <= 1 for e in shares.adjusted)


def test_drawing_equal_articles_together_is_the_bootstrap_over_articles():
    counts, _, _ = corpus(np.random.default_rng(5), CRITICAL, 50)
    counts = np.concatenate([counts, counts[:20]])
    found = Quantifier(None, 4).shares(counts).counted
    rng = np.random.default_rng(1)
    sums = np.array([counts[rng.integers(len(counts), size=len(counts))].sum(0) for _ in range(4000)])
    low, high = np.quantile(sums / sums.sum(1, keepdims=True), [0.025, 0.975], axis=0)
    assert [e.low for e in found] == pytest.approx(low, abs=0.012)
    assert [e.high for e in found] == pytest.approx(high, abs=0.012)


def test_articles_without_a_sentence_of_the_group_change_nothing():
    counts, _, _ = corpus(np.random.default_rng(5), CRITICAL, 20)
    padded = np.concatenate([counts, np.zeros((500, 4), dtype=int)])
    quantifier = Quantifier(np.eye(4) * 30 + 3, 4)
    assert quantifier.shares(padded) == quantifier.shares(counts)


def test_without_error_counts_there_is_no_adjusted_share():
    shares = Quantifier(None, 3).shares([[1, 2, 3], [4, 0, 2]])
    assert shares.adjusted is None
    assert shares.net_adjusted is None
    assert shares.shown == shares.counted
    assert shares.counts == (5, 2, 5)


def test_one_article_has_an_interval_over_its_sentences():
    (favor, *_) = Quantifier(None, 4).shares([[10, 10, 0, 0]]).counted
    assert favor.low < 0.5 < favor.high


def test_net_stance_leaves_out_the_sentences_that_are_not_about_the_target():
    assert net_stance(np.array([3.0, 1.0, 4.0, 92.0])) == pytest.approx(0.25)
    assert np.isnan(net_stance(np.array([0.0, 0.0, 0.0, 5.0])))
    assert Quantifier(None, 4).shares([[0, 0, 0, 5]]).net is None


def test_a_hundred_thousand_articles_are_quick():
    counts = np.eye(4, dtype=int)[np.random.default_rng(0).integers(4, size=100_000)]
    started = time.perf_counter()
    Quantifier(np.eye(4) * 50 + 5, 4).shares(counts)
    assert time.perf_counter() - started < 5


def test_confusion_counts_of_another_shape_are_refused():
    with pytest.raises(LabelError, match="expected 4 by 4"):
        Quantifier([[1, 2], [3, 4]], 4)
    with pytest.raises(LabelError, match="no sentence"):
        Quantifier(None, 4).shares([[0, 0, 0, 0]])


def test_recall_is_unknown_for_a_label_that_dev_does_not_have():
    assert recalls([[3, 1], [0, 0]]) == (0.75, None)
