"""The labels of a training: what is trained on, chosen by, and judged by, and the older ones that are seen again.

No torch in here: everything that can be wrong with labels is said before it is loaded.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stanceline.checkpoint import shipped_folder
from stanceline.errors import LabelError
from stanceline.label_files import group_articles, read_examples
from stanceline.label_sources import label_files
from stanceline.labels import LabelScheme
from stanceline.near_duplicates import MIN_WORDS, words
from stanceline.records import Example
from stanceline.splits import split_examples

Source = str | Path

# Shares of the articles that are tried for dev after the recipe's own, where that puts no article there.
_WIDER_DEV_PERCENTS = (20.0, 35.0, 50.0)


@dataclass(frozen=True, slots=True)
class LabelParts:
    """New labels, divided by article."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]  # may be empty

    @property
    def held_out(self) -> tuple[Example, ...]:
        """What old and new checkpoint are compared on: test, or dev where there is no test."""
        return self.test if self.has_test else self.dev

    @property
    def has_test(self) -> bool:
        """Whether there are labels that no step was chosen by."""
        return any(example.labels for example in self.test)


@dataclass(frozen=True, slots=True)
class Replay:
    """Older labels that a training sees again: some are trained on, others help to calibrate."""

    train: tuple[Example, ...] = ()
    dev: tuple[Example, ...] = ()


def read_parts(
    labels: Sequence[Source],
    targets: Collection[str],
    *,
    dev: Sequence[Source] = (),
    test: Sequence[Source] = (),
    dev_fraction: float,
    marked: bool = False,
) -> LabelParts:
    """Reads labels and divides them.

    Rows whose `split` is `test`, or the files of `test`, are neither trained on nor chosen by.

    Args:
        labels: Label files, or names of datasets.
        targets: The known targets.
        dev: Labels to choose the best step by; without them the rows whose `split` is `dev`, and a share of the
            articles whose rows give no split.
        test: Labels to compare the old and the new checkpoint on.
        dev_fraction: That share.
        marked: Every row must have a target that can be marked in its text.

    Raises:
        LabelError: A file or a row has a problem, or an article is in two parts.
    """
    examples = _read(labels, targets, marked)
    given_test = _read(test, targets, marked) if test else tuple(e for e in examples if e.split == "test")
    rest = [e for e in examples if e.split != "test"]
    if dev:
        parts = LabelParts(tuple(e for e in rest if e.split != "dev"), _read(dev, targets, marked), given_test)
    else:
        train, chosen_by = divided(rest, 100 * dev_fraction)
        parts = LabelParts(train, chosen_by, given_test)
    seen = {e.article_id for e in (*parts.train, *parts.dev)}
    both = seen & {e.article_id for e in parts.test}
    if both:
        message = f"{len(both)} articles are in test and elsewhere, such as {min(both)!r}; keep each in one part"
        raise LabelError(message)
    return parts


def divided(examples: Sequence[Example], dev_percent: float) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Train and dev, by article; with few articles dev gets a greater share, lest it be empty."""
    for percent in (dev_percent, *(wider for wider in _WIDER_DEV_PERCENTS if wider > dev_percent)):
        parts = split_examples(examples, dev_percent=percent, test_percent=0)
        if any(e.labels for e in parts["dev"]):
            break
    return parts["train"], parts["dev"]


def _read(sources: Sequence[Source], targets: Collection[str], marked: bool) -> tuple[Example, ...]:
    with label_files([str(source) for source in sources]) as files:
        table = read_examples(list(files), targets=targets, marked=marked)
    if table.unread_label_columns:
        unread = ", ".join(table.unread_label_columns)
        where = ", ".join(map(str, sources))
        raise LabelError(f"{where}: columns {unread} look like labels but are no target; declare them with --targets")
    return table.examples


def seed_parts(scheme: LabelScheme) -> dict[str, tuple[Example, ...]]:
    """The shipped seeds, by split.

    Raises:
        LabelError: They cannot be read.
    """
    examples = read_examples(
        [shipped_folder("seeds") / "labels.jsonl"], targets=[target.name for target in scheme.targets]
    ).examples
    return {str(name): part for name, part in split_examples(examples).items()}


def seed_replay(scheme: LabelScheme, parts: LabelParts, *, ratio: float, seed: int) -> Replay:
    """Seeds to train on again beside new labels, and the seeds' dev split to calibrate on.

    Args:
        scheme: The fields of the checkpoint.
        parts: The new labels; a seed article that shares a longer sentence with them is left out.
        ratio: Seed sentences for each new one, as far as they go.
        seed: Of the draw, which is by whole articles.
    """
    if ratio <= 0:
        return Replay()
    seeds = seed_parts(scheme)
    known = _shared_articles(seeds, parts)
    articles = [a for a in group_articles(seeds["train"]) if a[0].article_id not in known]
    random.Random(f"{seed}/replay").shuffle(articles)
    wanted = ratio * len(parts.train)
    drawn: list[Example] = []
    for article in articles:
        if len(drawn) >= wanted:
            break
        drawn.extend(article)
    return Replay(tuple(drawn), tuple(e for e in seeds["dev"] if e.article_id not in known))


def seed_test(scheme: LabelScheme, parts: LabelParts) -> tuple[Example, ...]:
    """The seeds' test split, without the articles that the new labels hold too: was anything forgotten?"""
    seeds = seed_parts(scheme)
    known = _shared_articles(seeds, parts)
    return tuple(e for e in seeds["test"] if e.article_id not in known)


def _shared_articles(seeds: Mapping[str, Sequence[Example]], parts: LabelParts) -> set[str]:
    """Ids of the articles of either that share a longer sentence, or their id, with the other."""
    new = (*parts.train, *parts.dev, *parts.test)
    texts = {text for e in new if (text := _long_text(e.text))}
    found = {e.article_id for part in seeds.values() for e in part if _long_text(e.text) in texts}
    return found | {e.article_id for e in new}


def _long_text(text: str) -> tuple[str, ...]:
    """The words of a longer sentence, by which it is known again; empty for a short one."""
    found = words(text)
    return tuple(found) if len(found) >= MIN_WORDS else ()
