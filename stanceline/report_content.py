"""What a report says: shares with intervals that include the model's own errors, sentences to read, and caveats."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stanceline import checkpoint
from stanceline.card import PROVENANCE
from stanceline.checkpoint import Manifest
from stanceline.errors import CheckpointError
from stanceline.labels import Field
from stanceline.quantification import MIN_ARTICLES, MIN_SENTENCES, Quantifier, Shares, recalls
from stanceline.report_groups import Group, Periods, Sources, by_source, by_time
from stanceline.report_tally import (
    Quotes,
    ShownArticle,
    Tally,
    choose_articles,
    read_articles,
    tally_predictions,
)

MAX_ARTICLES = 20

_WEAK_RECALL = 0.6  # a label of which fewer dev sentences are found is named as a weak point
_SCARCE = 50  # dev sentences of a label below which its error rates are said to be poorly known
_LANGUAGE = re.compile(r"\blanguage:\s*(\w[\w-]*)", re.IGNORECASE)
_LANGUAGES = {"en": "English"}


@dataclass(frozen=True, slots=True)
class FieldReport:
    """What the report says of one field."""

    field: Field
    description: str  # of the target, as the checkpoint has it
    shares: Shares  # of the whole corpus
    quotes: Quotes
    confusion: tuple[tuple[int, ...], ...] | None  # counts on dev, gold in rows; None: not known


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report shows, in whatever format."""

    name: str  # of the predictions file
    sha256: str  # of the predictions file
    sentences: int
    articles: int
    checkpoints: tuple[str, ...]  # references, the most frequent first
    created: str  # when the checkpoint was made; empty where it was not looked at
    adjusted: bool  # whether the checkpoint's errors were reckoned with
    fields: tuple[FieldReport, ...]
    sources: Sources | None
    periods: Periods | None
    shown: tuple[ShownArticle, ...]
    caveats: tuple[str, ...]
    card: str  # Markdown without its front matter; empty where there is none

    def groups(self) -> list[tuple[str, Group]]:
        """Every group with the kind of its division, sources first."""
        sources = [("source", group) for group in self.sources.groups] if self.sources else []
        periods = [(self.periods.unit, group) for group in self.periods.groups] if self.periods else []
        return [*sources, *periods]


def build_report(
    predictions: Path,
    *,
    model: str | Path | None = None,
    adjust: bool = True,
    max_articles: int = MAX_ARTICLES,
    report: Callable[[str, float], None] = lambda step, fraction: None,
) -> Report:
    """Reads predictions and works out what there is to say of them.

    Args:
        predictions: A JSONL, CSV or Parquet file as `classify` writes it.
        model: The checkpoint that made them; None is the user's promoted one, or else the shipped one.
        adjust: Estimate the true shares from the errors that the checkpoint made on dev; False does without the
            checkpoint and leaves plain counts.
        max_articles: Articles that are shown in full.
        report: Is told the step and how far it has got, 0 to 1.

    Raises:
        InputError: The predictions cannot be read, are empty, or have a sentence twice.
        CheckpointError: The checkpoint is missing, or is not the one that made the predictions.
    """
    folder = checkpoint.find_checkpoint(model) if adjust else None
    manifest = checkpoint.read_manifest(folder) if folder else None
    card = _read_card(folder) if folder else ""
    tally = tally_predictions(predictions, lambda fraction: report("counting", fraction))
    if manifest:
        _check_origin(manifest, tally, predictions)
    confusion = dict(manifest.calibration.confusion) if manifest else {}
    quantifiers = {field.name: Quantifier(confusion.get(field.name), len(field.labels)) for field in tally.fields}
    fields = tuple(_field_report(tally, field, quantifiers[field.name], manifest) for field in tally.fields)
    chosen = choose_articles(tally, max_articles)
    return Report(
        name=predictions.name,
        sha256=checkpoint.sha256_of(predictions),
        sentences=tally.sentences,
        articles=len(tally.articles),
        checkpoints=tuple(reference for reference, _ in tally.checkpoints.most_common()),
        created=manifest.created if manifest else "",
        adjusted=manifest is not None,
        fields=fields,
        sources=by_source(tally, quantifiers),
        periods=by_time(tally, quantifiers),
        shown=tuple(
            read_articles(predictions, tally.fields, chosen, lambda fraction: report("reading articles", fraction))
        ),
        caveats=tuple(_caveats(fields, manifest, card)),
        card=_without_front_matter(card),
    )


def _check_origin(manifest: Manifest, tally: Tally, predictions: Path) -> None:
    """Refuses predictions that another checkpoint made, in whole or in part."""
    others = [reference or "an unnamed one" for reference in tally.checkpoints if reference != manifest.reference]
    if others:
        raise CheckpointError(
            f"{predictions}: holds predictions of {', '.join(others)}, but the checkpoint is {manifest.reference}, "
            "whose errors say nothing of them; name the right one with --model, or give --no-adjust for plain counts"
        )


def _field_report(tally: Tally, field: Field, quantifier: Quantifier, manifest: Manifest | None) -> FieldReport:
    targets = {target.name: target.description for target in manifest.scheme.targets} if manifest else {}
    counts = manifest.calibration.confusion.get(field.name) if manifest else None
    return FieldReport(
        field=field,
        description=targets.get(field.name, ""),
        shares=quantifier.shares(tally.counts[field.name]),
        quotes=tally.quotes[field.name],
        confusion=None if counts is None else tuple(tuple(row) for row in counts),
    )


def _read_card(folder: Path) -> str:
    path = folder / checkpoint.CARD
    if not path.exists():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read as the model card: {error}") from error


def _front_matter(card: str) -> str:
    parts = card.split("---\n", 2)
    return parts[1] if card.startswith("---\n") and len(parts) == 3 else ""


def _without_front_matter(card: str) -> str:
    return card.removeprefix(f"---\n{_front_matter(card)}---\n").strip() if _front_matter(card) else card.strip()


def _caveats(fields: tuple[FieldReport, ...], manifest: Manifest | None, card: str) -> list[str]:
    """What a reader has to know before using the figures."""
    first = fields[0].shares
    caveats = [PROVENANCE]
    language = _LANGUAGE.search(card)
    if language:
        name = _LANGUAGES.get(language[1], language[1])
        caveats.append(f"The checkpoint is made for text in {name}; labels of other text mean little.")
    if any(entry.field.is_stance for entry in fields):
        caveats.append(
            "A stance is that of the voice which a sentence carries: whoever it quotes, otherwise the author. It "
            "is not by itself the stance of the paper that printed it."
        )
    if manifest is None:
        caveats.append(
            "The shares are plain counts of predicted labels. The model's errors are not reckoned with, and the "
            "intervals only say how much the counts would vary with other articles of the same kind."
        )
    else:
        caveats.append(
            "The intervals suppose that the model errs here about as it erred on its dev labels, give or take what "
            "its errors were seen to differ between kinds of text. On text of quite another kind they may miss."
        )
        caveats += [caveat for entry in fields for caveat in _weak_points(entry)]
    if not first.is_enough:
        caveats.append(
            f"With fewer than {MIN_ARTICLES} articles or {MIN_SENTENCES} sentences the intervals are too narrow: how "
            "much articles differ cannot be told from so few."
        )
    caveats.append("A single label is often wrong. Read the sentence before you quote it.")
    return caveats


def _weak_points(entry: FieldReport) -> list[str]:
    name = entry.field.name.replace("_", " ").capitalize()
    if entry.confusion is None:
        return [f"{name}: the checkpoint had no dev labels of it, so its shares are plain counts."]
    found = recalls(entry.confusion)
    weak = [
        f"{share:.0%} of {label}"
        for label, share in zip(entry.field.labels, found, strict=True)
        if share is not None and share < _WEAK_RECALL
    ]
    sizes: Mapping[str, int] = {
        label: sum(row) for label, row in zip(entry.field.labels, entry.confusion, strict=True) if sum(row) < _SCARCE
    }
    caveats = [f"{name}: a weak point. On dev the model found only {', '.join(weak)}."] if weak else []
    if sizes:
        few = ", ".join(f"{count} of {label}" for label, count in sizes.items())
        caveats.append(f"{name}: dev has few sentences of some labels ({few}), so its adjusted shares are rough.")
    return caveats
