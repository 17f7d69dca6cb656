"""Labels that nothing can be learned from, refused before any work is done. No torch in here."""

from collections.abc import Sequence

from stanceline.errors import LabelError
from stanceline.labels import Field, LabelScheme
from stanceline.near_duplicates import MIN_WORDS, words
from stanceline.records import Example

MIN_SENTENCES = 8  # labelled ones to train on; far fewer than are of any use, but enough to be meant


def check_trainable(train: Sequence[Example], dev: Sequence[Example], scheme: LabelScheme) -> None:
    """Makes sure that the labels can be learned from.

    Raises:
        LabelError: There are too few labels, only one class of a field, a field without any, or a sentence is in both
            parts.
    """
    labelled = _labelled(train, scheme)
    if not labelled:
        raise LabelError("there is no labelled sentence in the train part; add labels")
    if labelled < MIN_SENTENCES:
        raise LabelError(
            f"only {labelled} labelled sentences are left to train on, at least {MIN_SENTENCES} are needed "
            "(and some hundreds to gain by it); add labels"
        )
    if not _labelled(dev, scheme):
        raise LabelError("there is no labelled sentence in the dev part; add labels of other articles, or name --dev")
    for field in scheme.fields:
        _check_field(field, train)
    _check_apart(train, dev)


def _labelled(examples: Sequence[Example], scheme: LabelScheme) -> int:
    names = {field.name for field in scheme.fields}
    return sum(not names.isdisjoint(example.labels) for example in examples)


def _check_field(field: Field, train: Sequence[Example]) -> None:
    seen = {label for example in train if (label := example.labels.get(field.name)) is not None}
    if not seen:
        raise LabelError(f"{field.name}: no sentence is labelled in it; label some, or leave it out of --targets")
    if len(seen) == 1:
        raise LabelError(
            f"{field.name}: all train labels are {seen.pop()!r}; label others too, or empty that column to leave it out"
        )


def _check_apart(train: Sequence[Example], dev: Sequence[Example]) -> None:
    """No article, and no longer sentence, in both parts: it would be scored on what it was taught."""
    both = {example.article_id for example in train} & {example.article_id for example in dev}
    if both:
        raise LabelError(
            f"{len(both)} articles are in both train and dev, such as {min(both)!r}; leave them out of one"
        )
    taught = {tuple(found): e for e in train if len(found := words(e.text)) >= MIN_WORDS}
    for example in dev:
        twin = taught.get(tuple(words(example.text)))
        if twin is not None:
            raise LabelError(
                f"a sentence is in both train and dev: sentence {twin.sentence_index} of {twin.article_id!r}, and "
                f"sentence {example.sentence_index} of {example.article_id!r}; leave one out, or give both one `split`"
            )
