"""The model card: what a checkpoint is for, what it was made from, how right it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stanceline.checkpoint import CARD, Manifest
from stanceline.errors import CheckpointError

# What an evaluation wrote stands between these, so that the next one replaces it.
_BEGIN, _END = "<!-- evaluation: written by `stanceline evaluate --card` -->", "<!-- end of evaluation -->"

PROVENANCE = (
    "The labels that Stanceline ships and was developed with were made by language models that followed the codebook, "
    "not by people. Agreement between such annotators is not human agreement, and a score against such labels is "
    "agreement with them."
)


@dataclass(frozen=True, slots=True)
class DevScores:
    """How a field does on dev."""

    exact: float  # f1_macro of the stored weights, computed in fp32
    copy: float  # f1_macro of the copy for the CPU
    alike: float  # share of the sentences that both label alike


def write_card(
    folder: Path,
    manifest: Manifest,
    scores: Mapping[str, DevScores],
    *,
    notes: str = "",
    train_count: int,
    dev_count: int,
) -> None:
    """Writes `README.md` into a checkpoint folder.

    Args:
        folder: The checkpoint.
        manifest: Its manifest.
        scores: Of each field that dev has.
        notes: Prose on purpose, data and limits, from whoever trained it.
        train_count: Labelled sentences in training.
        dev_count: Labelled sentences in dev.
    """
    targets = "\n".join(f"- `{t.name}`: {t.description}" for t in manifest.scheme.targets)
    rows = "\n".join(f"| {name} | {s.exact:.3f} | {s.copy:.3f} | {s.alike:.1%} |" for name, s in scores.items())
    sentiment = "\n- `sentiment`: positive, negative, neutral" if manifest.scheme.sentiment else ""
    text = f"""---
library_name: stanceline
tags: [stance-detection, sentiment, politics]
---

# {manifest.reference}

Labels each sentence of an article with its stance (favor, against, neutral, none) toward:

{targets}{sentiment}

{notes.strip() or "No notes were given with this training."}

## Training

- started from: `{manifest.base}`
- {train_count:,} labelled sentences; chosen and calibrated on {dev_count:,} others
- made on {manifest.created} with {", ".join(f"{name} {number}" for name, number in manifest.versions.items())}
- settings: `recipe.json`; hashes of all files: `stanceline.json`

{PROVENANCE}

## Scores on dev

f1_macro of the stored fp16 weights, computed in fp32, and of the copy for the CPU, part of it in int8. This is the set
that the checkpoint was chosen on, so it flatters.

| field | fp32 | CPU | labels alike |
| --- | --- | --- | --- |
{rows}
"""
    (folder / CARD).write_text(text, encoding="utf-8")


def replace_evaluation(folder: Path, section: str) -> Path:
    """Puts the section of an evaluation into a card, in the place of an earlier one or else at the end.

    Raises:
        CheckpointError: The checkpoint has no card.
    """
    path = folder / CARD
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CheckpointError(f"{path}: the card cannot be read: {error.strerror}") from error
    before, begin, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2] if begin else ""
    section = f"{_BEGIN}\n\n{section.strip()}\n\n{_END}"
    path.write_text(f"{before.rstrip()}\n\n{section}\n{after.lstrip()}", encoding="utf-8")
    return path
