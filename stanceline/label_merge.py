"""What `stanceline labels merge` does: several people's or several rounds' labels in one file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stanceline.errors import LabelError
from stanceline.label_files import parse_files, raise_problems
from stanceline.label_rows import Place
from stanceline.labels import Field
from stanceline.records import Example


@dataclass(frozen=True, slots=True)
class Conflict:
    """A sentence that was labelled in two ways; the later one was kept."""

    article_id: str
    sentence_index: int
    field: str  # or `split`
    earlier: str
    earlier_place: Place
    later: str
    later_place: Place

    def __str__(self) -> str:
        """The conflict as a line for the terminal."""
        sentence = f"sentence {self.sentence_index} of article {self.article_id!r}"
        return (
            f"{self.later_place}: {sentence}: {self.field} is {self.later}, was {self.earlier} at {self.earlier_place}"
        )


def merge_labels(
    paths: Sequence[Path | str], fields: Sequence[Field] | None = None, *, targets: Collection[str] = ()
) -> tuple[tuple[Example, ...], tuple[Conflict, ...]]:
    """The labels of several files in one: the last label of a sentence wins, field by field.

    An empty cell takes nothing back. Title, source, date and other columns are the last ones given; the text must be
    the same wherever it is given, and given somewhere.

    Args:
        paths: Label files, the later ones over the earlier; within a file a later row over an earlier.
        fields: As in `read_examples`, but a file may lack any.
        targets: As in `read_examples`.

    Returns:
        The sentences in the order of their first appearance, and every label that gave way to another.

    Raises:
        LabelError: A file cannot be read, a row has a problem, or one sentence has two texts or none.
    """
    names = targets if fields is None else [field.name for field in fields]
    table = parse_files(paths, targets=names, text_required=False)
    raise_problems(table.problems)
    merged: dict[tuple[str, int], Example] = {}
    places: dict[tuple[str, int, str], Place] = {}
    conflicts: list[Conflict] = []
    for example, place in zip(table.examples, table.places, strict=True):
        before = merged.get(example.key)
        conflicts += _conflicts(before, example, places, place)
        merged[example.key] = example if before is None else _merged(before, example, place)
    for example in merged.values():
        if not example.text.strip():
            sentence = f"sentence {example.sentence_index} of article {example.article_id!r}"
            raise LabelError(f"{', '.join(table.hashes)}: {sentence} has labels but nowhere a text")
    return tuple(merged.values()), tuple(conflicts)


def _conflicts(
    before: Example | None, after: Example, places: dict[tuple[str, int, str], Place], place: Place
) -> list[Conflict]:
    """What `after` overrules; its own labels are noted in `places`."""
    found = []
    old = {} if before is None else {**before.labels, "split": before.split}
    for name, label in {**after.labels, "split": after.split}.items():
        if not label:
            continue
        if old.get(name) and old[name] != label:
            found.append(Conflict(*after.key, name, old[name], places[*after.key, name], label, place))
        places[*after.key, name] = place
    return found


def _merged(before: Example, after: Example, place: Place) -> Example:
    if before.text.strip() and after.text.strip() and before.text != after.text:
        sentence = f"sentence {after.sentence_index} of article {after.article_id!r}"
        raise LabelError(f"{place}: {sentence} has another text than before: the files are not of the same sentences")
    return replace(
        after,
        text=after.text if after.text.strip() else before.text,
        labels={**before.labels, **after.labels},
        title=after.title or before.title,
        source=after.source or before.source,
        date=after.date or before.date,
        related=before.related and after.related,
        split=after.split or before.split,
        extra={**before.extra, **after.extra},
    )
