"""Answers to the rows that `train` takes."""

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stanceline.errors import LabelError
from stanceline.label_files import write_examples
from stanceline.records import Example
from stanceline.review.answers import Conflict, settled_labels
from stanceline.review.queries import FoundSentence
from stanceline.review.session import Review

CONTEXT = 3  # unlabelled sentences that go along on each side: the model reads a sentence in its article
_SHOWN_CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    examples: tuple[Example, ...]  # by article and sentence, the unlabelled ones as context
    labelled: int  # sentences with at least one label
    left_out: int  # answered sentences that are not in these predictions


def export_labels(
    predictions: Path,
    labels: Path,
    output: Path,
    *,
    context: int = CONTEXT,
    overwrite: bool = False,
    warn: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Writes the answers of a labels file as rows for `train`.

    Args:
        predictions: What was reviewed.
        labels: The answers.
        output: A .jsonl, .csv or .parquet file.
        context: Sentences before and after each labelled one that are written too, without labels.
        overwrite: Replace a file that is there.
        warn: Told what was repaired in the answers.

    Raises:
        LabelError: There is nothing to export, or a conflict is not resolved.
        InputError, OutputError: A file cannot be read or written.
    """
    with closing(Review(predictions, labels, warn=warn)) as review:
        review.load()
        exported = collect(review, context)
    write_examples(output, exported.examples, review.fields, overwrite=overwrite)
    return exported


def export_jsonl(review: Review, context: int) -> tuple[bytes, Exported]:
    """The rows as JSONL, written by the very function that writes label files.

    Raises:
        LabelError: There is nothing to export, or a conflict is not resolved.
        OutputError: There is no room beside the answers.
    """
    exported = collect(review, context)
    with tempfile.TemporaryDirectory(prefix=f"{review.labels.name}.export-", dir=review.labels.parent) as folder:
        path = Path(folder) / "labels.jsonl"
        write_examples(path, exported.examples, review.fields)
        return path.read_bytes(), exported


def collect(review: Review, context: int) -> Exported:
    """The examples that the answers make.

    Raises:
        LabelError: There is nothing to export, or a conflict is not resolved.
    """
    review.sync()
    conflicts = review.conflicts()
    if conflicts:
        raise LabelError(_told(conflicts))
    rows: dict[tuple[int, int], Example] = {}
    labelled = 0
    for key in review.answered():
        standing = review.standing(key)
        given = settled_labels(standing)
        sentence = review.queries.by_key(key[0], key[1])
        if not given or sentence is None or sentence.text != key[2]:
            continue
        labelled += 1
        who = sorted({a.annotator for a in standing if a.field in given and given[a.field] == a.label})
        rows[sentence.article, sentence.sentence_index] = _example(sentence, given, ", ".join(who))
        if sentence.is_unrelated:
            continue
        for other in review.queries.neighbours(sentence, context, context):
            rows.setdefault((other.article, other.sentence_index), _example(other, {}, ""))
    if not labelled:
        raise LabelError(f"{review.labels}: holds no labels for {review.predictions} yet; answer some sentences first")
    return Exported(tuple(rows[place] for place in sorted(rows)), labelled, len(review.elsewhere))


def _example(sentence: FoundSentence, labels: dict[str, str], annotators: str) -> Example:
    return Example(
        article_id=sentence.article_id,
        sentence_index=sentence.sentence_index,
        text=sentence.text,
        labels=labels,
        title=sentence.title,
        source=sentence.source,
        date=sentence.date,
        related=not sentence.is_unrelated,
        extra={"register": sentence.register or None, "annotator": annotators or None},
    )


def _told(conflicts: list[Conflict]) -> str:
    named = []
    for conflict in conflicts[:_SHOWN_CONFLICTS]:
        said = ", ".join(f"{answer.annotator}: {answer.label}" for answer in conflict.answers)
        named.append(f"{conflict.sentence[0]} sentence {conflict.sentence[1]} {conflict.field} ({said})")
    more = f" and {len(conflicts) - len(named)} more" if len(conflicts) > len(named) else ""
    count = f"{len(conflicts)} conflict{'s' if len(conflicts) > 1 else ''}"
    return f"{count} not resolved: {'; '.join(named)}{more}; resolve them under Conflicts on the review page"
