"""The same model with something taken away: what do its scores rest on?

context_removed   each sentence alone, without title and neighbours
target_blind      the probabilities of all targets averaged, as if it were not known which one is asked
names_masked      every name of a country, body or person replaced by the word `Name`
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from stanceline.label_files import group_articles
from stanceline.labels import LabelScheme
from stanceline.place_names import mask_names
from stanceline.records import Article, Example, FieldPrediction, Prediction, Sentence
from stanceline.target_marking import columns_of

Classify = Callable[[Iterable[Article]], Iterable[Prediction]]


def articles_of(examples: Iterable[Example]) -> list[Article]:
    """Examples as articles to classify: grouped, in order, with the sentences that are not labelled as context."""
    return [
        Article(
            article_id=group[0].article_id,
            sentences=tuple(
                Sentence(example.sentence_index, example.text, extra=columns_of(example.extra) or None)
                for example in group
            ),
            title=group[0].title,
            source=group[0].source,
            date=group[0].date,
            related=group[0].related,
        )
        for group in group_articles(examples)
    ]


def context_removed(examples: Iterable[Example], classify: Classify) -> list[Prediction]:
    """Predictions of each sentence by itself."""
    return list(classify(replace(article, related=False, title="") for article in articles_of(examples)))


def names_masked(examples: Iterable[Example], classify: Classify) -> list[Prediction]:
    """Predictions of the text without its names, titles included."""
    masked = [replace(e, text=mask_names(e.text), title=mask_names(e.title)) for e in examples]
    return list(classify(articles_of(masked)))


def target_blind(predictions: Sequence[Prediction], scheme: LabelScheme) -> list[Prediction] | None:
    """Predictions whose stance is the same for all targets; None where there is only one target."""
    if len(scheme.targets) < 2:
        return None
    names = [target.name for target in scheme.targets]
    return [_blinded(prediction, names) for prediction in predictions]


def _blinded(prediction: Prediction, names: Sequence[str]) -> Prediction:
    labels = prediction.fields[names[0]].probabilities
    mean = {label: sum(prediction.fields[n].probabilities[label] for n in names) / len(names) for label in labels}
    best = max(mean, key=lambda label: mean[label])
    blind = FieldPrediction(best, mean[best], mean)
    return replace(prediction, fields={**prediction.fields, **dict.fromkeys(names, blind)})
