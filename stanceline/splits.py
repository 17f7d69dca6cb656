"""Train, dev and test by article, such that added articles never move the others."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from stanceline.errors import LabelError
from stanceline.records import SPLITS, Example

Split = Literal["train", "dev", "test"]


def split_of(article_id: str, *, dev_percent: float = 10, test_percent: float = 10, salt: str = "") -> Split:
    """The split of an article: a function of its id alone, the same on every machine and in every version.

    Test is cut from the low end of the hash and dev from the high end, so that growing the one never takes an
    article from the other.

    Args:
        article_id: The identity of the article.
        dev_percent: The share of the articles that goes to dev, on average.
        test_percent: The share that goes to test.
        salt: Another salt gives another, independent split.

    Raises:
        LabelError: The percentages are negative or leave nothing for training.
    """
    if dev_percent < 0 or test_percent < 0 or dev_percent + test_percent >= 100:
        raise LabelError(f"a split of {dev_percent} % dev and {test_percent} % test leaves nothing to train on")
    digest = hashlib.sha256(f"{salt}\0{article_id}".encode()).digest()
    percentile = int.from_bytes(digest[:8]) / 2**64 * 100
    if percentile < test_percent:
        return "test"
    return "dev" if percentile >= 100 - dev_percent else "train"


def split_examples(
    examples: Iterable[Example], *, dev_percent: float = 10, test_percent: float = 10, salt: str = ""
) -> dict[Split, tuple[Example, ...]]:
    """Every example in one split, written into its `split`; an article is never in two.

    A split that the rows give is kept, and holds for the whole article; the other articles go by `split_of`.

    Returns:
        All three splits, in the order of the input; a split may be empty.

    Raises:
        LabelError: The rows of an article give two splits, or the percentages are wrong.
    """
    examples = list(examples)
    splits = given_splits(examples)
    parts: dict[Split, list[Example]] = {cast(Split, name): [] for name in SPLITS}
    for example in examples:
        if example.article_id not in splits:
            name = split_of(example.article_id, dev_percent=dev_percent, test_percent=test_percent, salt=salt)
            splits[example.article_id] = name
        parts[splits[example.article_id]].append(replace(example, split=splits[example.article_id]))
    return {name: tuple(part) for name, part in parts.items()}


def given_splits(examples: Iterable[Example]) -> dict[str, Split]:
    """The split of each article whose rows give one.

    Raises:
        LabelError: The rows of an article give two.
    """
    splits: dict[str, Split] = {}
    for example in examples:
        if not example.split:
            continue
        split = splits.setdefault(example.article_id, cast(Split, example.split))
        if split != example.split:
            place = f"article {example.article_id!r}, sentence {example.sentence_index}"
            raise LabelError(f"{place}: is in {example.split}, others of it in {split}; give it one split")
    return splits


@dataclass(frozen=True, slots=True)
class Fold:
    """One turn of a cross-validation."""

    held_out: tuple[str, ...]  # the values of the column that are left out of training
    train: tuple[Example, ...]
    test: tuple[Example, ...]


def folds_by(examples: Sequence[Example], key: str, *, folds: int | None = None) -> Iterator[Fold]:
    """Leave-one-out over the values of a column, for example every `source` once: does a model hold across them?

    Args:
        examples: What is divided.
        key: A column of the rows, such as `source` or `register`.
        folds: How many folds the values are packed into, as even in sentences as whole values allow; None gives
            every value a fold of its own.

    Raises:
        LabelError: An example has no such column, an article has two values, or there are fewer values than folds.
    """
    values = _values_by_article(examples, key)
    sizes: dict[str, int] = {}
    for example in examples:
        value = values[example.article_id]
        sizes[value] = sizes.get(value, 0) + 1
    wanted = len(sizes) if folds is None else folds
    if not 2 <= wanted <= len(sizes):
        raise LabelError(
            f"{len(sizes)} different {key} do not make {wanted} folds; from 2 to {len(sizes)} are possible"
        )
    for held_out in _packed(sizes, wanted):
        train = tuple(example for example in examples if values[example.article_id] not in held_out)
        test = tuple(example for example in examples if values[example.article_id] in held_out)
        yield Fold(tuple(held_out), train, test)


def _values_by_article(examples: Iterable[Example], key: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for example in examples:
        value = example.extra.get(key) if key in example.extra else getattr(example, key, None)
        place = f"article {example.article_id!r}, sentence {example.sentence_index}"
        if value is None or value == "":
            raise LabelError(f"{place}: has no {key!r} to make folds by")
        if values.setdefault(example.article_id, str(value)) != str(value):
            raise LabelError(f"{place}: {key} is {value!r}, elsewhere in the article {values[example.article_id]!r}")
    return values


def _packed(sizes: dict[str, int], folds: int) -> list[list[str]]:
    """The largest value first, each into the emptiest fold."""
    packed: list[list[str]] = [[] for _ in range(folds)]
    totals = [0] * folds
    for value in sorted(sizes, key=lambda value: (-sizes[value], value)):
        emptiest = totals.index(min(totals))
        packed[emptiest].append(value)
        totals[emptiest] += sizes[value]
    return packed
