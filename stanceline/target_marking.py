"""The target of a row in what the encoder reads, so that one head answers for whatever target is marked.

A row names its `target`. Where `target_start` and `target_end` say where it is mentioned, the mention is put between
punctuation, `* mention *`, after the entity marker (punct) of Zhou and Chen 2022, "An Improved Baseline for
Sentence-level Relation Extraction", https://arxiv.org/abs/2102.01373. Otherwise the target stands before the sentence,
as a title does.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stanceline.records import Article, Sentence

OFFSETS = ("target_start", "target_end")
COLUMNS = ("target", *OFFSETS)

_MARK = "*"
_WHOLE_NUMBER = re.compile(r"-?\d+(\.0*)?")


@dataclass(frozen=True, slots=True)
class Marked:
    """A sentence as the encoder reads it."""

    text: str
    target: str = ""  # what stands before it; empty where the mention is marked in the text


def mark(text: str, row: Mapping[str, Any]) -> Marked:
    """A sentence with its target marked.

    Args:
        text: The sentence.
        row: Its columns; `target_start` and `target_end` count code points of `text`.

    Raises:
        ValueError: There is no target, or the offsets don't cut it out; the message says what is wrong.
    """
    target = str(row["target"]) if _is_given(row.get("target")) else ""
    if not target.strip():
        raise ValueError("has no target, and this model answers for a marked one; fill the column 'target'")
    given = [name for name in OFFSETS if _is_given(row.get(name))]
    if not given:
        return Marked(text, target.strip())
    if len(given) == 1:
        raise ValueError(f"has {given[0]} alone; give both {' and '.join(OFFSETS)}, or none of them")
    start, end = (_offset(name, row[name]) for name in OFFSETS)
    where = f"target_start {start} and target_end {end}"
    if not (0 <= start <= len(text) and 0 <= end <= len(text)):
        raise ValueError(f"{where} lie outside the text of {len(text)} code points; count from 0")
    if start >= end:
        raise ValueError(f"{where} cut out nothing; target_end is the place behind the target's last code point")
    if text[start:end] != target:
        raise ValueError(
            f"{where} cut out {text[start:end]!r}, not the target {target!r}; count code points of the text"
        )
    return Marked(f"{text[:start]}{_MARK} {target} {_MARK}{text[end:]}")


def columns_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Those columns of a row that tell of its target."""
    return {name: row[name] for name in COLUMNS if name in row}


def sentences_to_read(article: Article) -> Iterable[Sentence] | None:
    """The sentences of an article whose target is marked; None where its text is still to be split.

    A text with offsets is a single sentence: they are of that very text.
    """
    if article.sentences is None and _has_offsets(article.extra):
        text = article.text or ""
        return (Sentence(0, text, 0, len(text)),)
    return article.sentences


def mark_sentence(article: Article, sentence: Sentence) -> Marked:
    """A sentence of an article with its target marked; see `mark`.

    Raises:
        ValueError: As `mark`; also, offsets are given for a list of sentences.
    """
    if article.sentences is not None and _has_offsets(article.extra):
        raise ValueError(f"has {' and '.join(OFFSETS)} for several sentences; give each a row of its own")
    return mark(sentence.text, {**article.extra, **(sentence.extra or {})})


def problem_of(article: Article) -> str | None:
    """Why the targets of an article cannot be marked; None where they can."""
    sentences = sentences_to_read(article)
    for sentence in (Sentence(0, article.text or ""),) if sentences is None else sentences:
        try:
            mark_sentence(article, sentence)
        except ValueError as error:
            return str(error) if sentence.extra is None else f"sentence {sentence.index} {error}"
        if sentence.extra is None:
            break  # the target is the article's, the same for all
    return None


def _has_offsets(row: Mapping[str, Any]) -> bool:
    return any(_is_given(row.get(name)) for name in OFFSETS)


def _is_given(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


def _offset(name: str, value: Any) -> int:
    """2, "2" and 2.0 are the same: a column with gaps comes out of a spreadsheet or of pandas as floats."""
    if isinstance(value, bool) or not _WHOLE_NUMBER.fullmatch(str(value).strip()):
        raise ValueError(f"has {name} {value!r}, which is not a whole number; count code points of the text from 0")
    return int(str(value).strip().split(".")[0])
