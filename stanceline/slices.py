"""Parts of the labelled sentences that are scored by themselves: where does a model hold, and where not?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stanceline.errors import LabelError
from stanceline.place_names import named_countries
from stanceline.records import Example

# From an example to the values of the slice that it belongs to; a sentence that names two countries is in two.
Values = Callable[[Example], Sequence[str]]

_LENGTHS = ((8, "1-8 words"), (16, "9-16 words"), (24, "17-24 words"), (40, "25-40 words"))
_LONGER = "over 40 words"
_POSITIONS = ((0, "first"), (2, "second and third"), (9, "fourth to tenth"))
_LATER = "later"
_TAGS = "tags"  # the one column whose cells hold several values, with spaces or commas between them


@dataclass(frozen=True, slots=True)
class Grouping:
    """Values of a column put together under names, such as outlets under a viewpoint."""

    name: str
    column: str
    groups: Mapping[str, Sequence[str]]  # group -> patterns of values, `*` stands for anything

    def values(self, example: Example) -> tuple[str, ...]:
        """The first group that fits an example; none where its value fits no pattern."""
        value = column_value(example, self.column)
        fitting = (name for name, found in self.groups.items() if any(fnmatchcase(value, entry) for entry in found))
        return tuple(fitting)[:1]


def column_value(example: Example, column: str) -> str:
    """The value of a column, empty where there is none."""
    if column in ("article_id", "title", "source", "date", "split"):
        return str(getattr(example, column))
    value = example.extra.get(column)
    return "" if value is None else str(value)


def slicers(
    examples: Sequence[Example], columns: Iterable[str] = (), groupings: Iterable[Grouping] = ()
) -> dict[str, Values]:
    """The ways to slice these examples.

    They are source and register where these are given, length, position, named country, and what was asked for.

    Args:
        examples: What will be sliced.
        columns: Further columns of the input.
        groupings: Further groups of values.

    Raises:
        LabelError: A column that was asked for is empty in every row.
    """
    found: dict[str, Values] = {}
    for column in ("source", "register"):
        if any(column_value(example, column) for example in examples):
            found[column] = _by_column(column)
    first: dict[str, int] = {}
    for example in examples:
        first[example.article_id] = min(example.sentence_index, first.get(example.article_id, example.sentence_index))
    found["length"] = lambda example: (_step(len(example.text.split()), _LENGTHS, _LONGER),)
    found["position"] = lambda example: (_step(example.sentence_index - first[example.article_id], _POSITIONS, _LATER),)
    found["country"] = lambda example: named_countries(example.text)
    for column in columns:
        if not any(column_value(example, column) for example in examples):
            known = sorted({name for example in examples for name in example.extra} | {"source", "title", "date"})
            raise LabelError(f"slice by {column!r}: the labels have no such column; there are {', '.join(known)}")
        found[column] = _by_column(column)
    for grouping in groupings:
        if not any(grouping.values(example) for example in examples):
            raise LabelError(f"slice {grouping.name!r}: no row's {grouping.column} fits any of its patterns")
        found[grouping.name] = grouping.values
    return found


def positions_by_value(examples: Sequence[Example], values: Values) -> dict[str, list[int]]:
    """The positions of each value's sentences, the largest slice first."""
    found: dict[str, list[int]] = {}
    for position, example in enumerate(examples):
        for value in values(example):
            found.setdefault(value, []).append(position)
    return dict(sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0])))


def _by_column(column: str) -> Values:
    if column == _TAGS:
        return lambda example: tuple(column_value(example, column).replace(",", " ").split())
    return lambda example: (value,) if (value := column_value(example, column)) else ()


def _step(number: int, steps: Sequence[tuple[int, str]], beyond: str) -> str:
    return next((name for limit, name in steps if number <= limit), beyond)
