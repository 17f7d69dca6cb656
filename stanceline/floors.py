"""Floors: what needs no understanding of the target, scored beside every model.

majority             the commonest label of the field
tfidf                TF-IDF of words and word pairs, logistic regression, one classifier a field
target_blind         the same, trained on all targets together and not told which one is asked
sentiment_as_stance  VADER: positive is favor, negative is against, neutral is none (or a sentiment field's own label)

The learned ones are trained on the labels that are given. Without such labels they are cross-fitted: the articles that
are evaluated are dealt into five parts, and each part is predicted from the others.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from stanceline.errors import LabelError
from stanceline.joined import Joined
from stanceline.labels import Field
from stanceline.records import Example

FOLDS = 5
# The thresholds that VADER's authors give for its compound score.
_VADER_POSITIVE, _VADER_NEGATIVE = 0.05, -0.05
_STANCE_OF = {"positive": "favor", "negative": "against", "neutral": "none"}

Floors = dict[str, tuple[str, ...]]  # floor -> N predicted labels
# A field's predictions for the sentences at some positions, learned from other examples.
_Fit = Callable[[Sequence[Example], str, Sequence[Example]], list[str]]


def floors(joined: Mapping[str, Joined], train: Sequence[Example] | None, *, seed: int) -> dict[str, Floors]:
    """The predictions of every floor, for each field in the order of its joined sentences.

    A floor is left out where it says nothing of its own: `target_blind` with a single target, the learned ones where
    there is a single article and no training labels.

    Args:
        joined: What is evaluated.
        train: Labels to learn from, or None to cross-fit.
        seed: Of the division into folds and of the classifier.

    Raises:
        LabelError: An article stands in both, or `train` has no label of a field.
    """
    if train is not None:
        _refuse_overlap(joined, train)
    targets = [name for name, part in joined.items() if part.field.is_stance]
    found: dict[str, Floors] = {}
    vader = _Vader()
    for name, part in joined.items():
        result: Floors = {}
        if train is not None or len(set(part.articles)) > 1:
            result["majority"] = _predicted(part, name, train, _majority, seed)
            result["tfidf"] = _predicted(part, name, train, _tfidf, seed)
            if part.field.is_stance and len(targets) > 1:
                result["target_blind"] = _predicted(part, name, train, _blind_to(targets), seed)
        result["sentiment_as_stance" if part.field.is_stance else "vader"] = tuple(
            vader.label(example.text, part.field) for example in part.examples
        )
        found[name] = result
    return found


def _refuse_overlap(joined: Mapping[str, Joined], train: Sequence[Example]) -> None:
    both = {e.article_id for e in train} & {article for part in joined.values() for article in part.articles}
    if both:
        raise LabelError(
            f"{len(both)} articles stand both in --train and in what is evaluated, such as {min(both)!r}; "
            "a floor that has seen the answers is none"
        )
    for name in joined:
        if not any(name in example.labels for example in train):
            raise LabelError(f"{name}: no row of --train is labelled in it, so its floors cannot be fitted")


def _predicted(part: Joined, name: str, train: Sequence[Example] | None, fit: _Fit, seed: int) -> tuple[str, ...]:
    if train is not None:
        return tuple(fit(train, name, part.examples))
    predicted = [""] * len(part.examples)
    for inside, outside in _folds(part, seed):
        labels = fit([part.examples[i] for i in outside], name, [part.examples[i] for i in inside])
        for position, label in zip(inside, labels, strict=True):
            predicted[position] = label
    return tuple(predicted)


def _folds(part: Joined, seed: int) -> Iterator[tuple[list[int], list[int]]]:
    articles = sorted(set(part.articles))
    folds = min(FOLDS, len(articles))
    order = np.random.default_rng(seed).permutation(len(articles))
    fold_of = {articles[place]: rank % folds for rank, place in enumerate(order)}
    assigned = [fold_of[article] for article in part.articles]
    for fold in range(folds):
        inside = [i for i, number in enumerate(assigned) if number == fold]
        yield inside, [i for i, number in enumerate(assigned) if number != fold]


def _majority(train: Sequence[Example], name: str, asked: Sequence[Example]) -> list[str]:
    counts = Counter(example.labels[name] for example in train if name in example.labels)
    return [counts.most_common(1)[0][0]] * len(asked)


def _tfidf(train: Sequence[Example], name: str, asked: Sequence[Example]) -> list[str]:
    pairs = [(example.text, example.labels[name]) for example in train if name in example.labels]
    return _classified(pairs, asked)


def _blind_to(targets: Sequence[str]) -> _Fit:
    def fit(train: Sequence[Example], name: str, asked: Sequence[Example]) -> list[str]:
        pairs = [(e.text, e.labels[target]) for target in targets for e in train if target in e.labels]
        return _classified(pairs, asked)

    return fit


def _classified(pairs: Sequence[tuple[str, str]], asked: Sequence[Example]) -> list[str]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, labels = zip(*pairs, strict=True)
    if len(set(labels)) == 1:
        return [labels[0]] * len(asked)
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2 if len(texts) > 1000 else 1),
        # This solver is many times faster on few classes and many sparse columns than the default one.
        LogisticRegression(C=10.0, class_weight="balanced", solver="newton-cg", tol=1e-3, max_iter=1000),
    )
    pipeline.fit(texts, labels)
    return [str(label) for label in pipeline.predict([example.text for example in asked])]


class _Vader:
    """The lexicon, read once."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self.analyzer = SentimentIntensityAnalyzer()

    def label(self, text: str, field: Field) -> str:
        """The label of a text in the field's own words; `neutral` for a stance field without `none`."""
        compound = self.analyzer.polarity_scores(text)["compound"]
        tone = "positive" if compound >= _VADER_POSITIVE else "negative" if compound <= _VADER_NEGATIVE else "neutral"
        label = _STANCE_OF[tone] if field.is_stance else tone
        return label if label in field.labels else "neutral"
