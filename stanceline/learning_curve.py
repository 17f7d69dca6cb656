"""What more labels bring: the same training on growing parts of the labels, scored on the same held-out ones."""

import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path

import numpy as np

from stanceline.ablations import articles_of
from stanceline.checkpoint import commit_folder, staging_folder
from stanceline.classifier import StanceClassifier
from stanceline.config import Recipe
from stanceline.errors import LabelError
from stanceline.intervals import bootstrap_counts
from stanceline.joined import by_key, join
from stanceline.label_files import group_articles
from stanceline.labels import LabelScheme
from stanceline.metrics import confusion_by_group, f1_macro_of
from stanceline.records import Example
from stanceline.training import train
from stanceline.training_checks import check_trainable
from stanceline.training_labels import LabelParts, Replay, seed_replay

_SHARES = (0.125, 0.25, 0.5, 1.0)  # of the train articles
_POINTS, _PLOT = "learning_curve.jsonl", "learning_curve.svg"

Interval = tuple[float, float | None, float | None]  # f1_macro, and its 95 % interval over articles


@dataclass(frozen=True, slots=True)
class Point:
    """The scores after training on so many sentences; 0 is the base as it is."""

    sentences: int
    scores: Mapping[str, Interval]  # by field


def learning_curve(
    parts: LabelParts,
    scheme: LabelScheme,
    *,
    base: str | Path,
    old: Path | None,
    old_scheme: LabelScheme | None,
    output: Path,
    recipe: Recipe,
    device: str = "auto",
    resume: bool = False,
    report: Callable[[Point], None] = lambda point: None,
) -> list[Point]:
    """Trains on an eighth, a quarter, a half and all of the train articles, each part within the next.

    The folder `output` gets `learning_curve.jsonl` and `learning_curve.svg`; the checkpoints are not kept.

    Args:
        parts: The labels; the scores are of `parts.held_out`.
        scheme: The fields that they label.
        base: What every training starts from.
        old: Its folder, where it is a checkpoint: the curve then begins with its own scores, and replays seeds.
        old_scheme: The fields of that checkpoint.
        output: A new folder.
        recipe: Every setting.
        device: `auto`, `cpu`, or a torch device.
        resume: Take over the points that an interrupted run of the same output came to.
        report: Called after every point.

    Raises:
        StancelineError: As `stanceline.training.train`.
    """
    check_trainable(parts.train, parts.dev, scheme)
    partial = staging_folder(output)
    if not resume:
        shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, exist_ok=True)
    known = {point.sentences: point for point in _read(partial / _POINTS)}
    points: list[Point] = []
    for sentences in [*([()] if old else []), *_growing(parts.train, recipe.seed)]:
        part = replace(parts, train=sentences)
        if sentences and _is_too_small(part, scheme):
            continue
        point = known.get(len(sentences))
        if point is None:
            if old and not sentences:
                scores = _scores(old, parts.held_out, device)
            else:
                replay = seed_replay(old_scheme, part, ratio=recipe.replay, seed=recipe.seed) if old_scheme else None
                folder = partial / f"trained-on-{len(sentences)}"
                scores = _trained_scores(part, scheme, base, folder, recipe, replay, device)
            point = Point(len(sentences), scores)
            with (partial / _POINTS).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(point)) + "\n")
        points.append(point)
        report(point)
    (partial / _PLOT).write_text(plot(points), encoding="utf-8")
    commit_folder(partial, output)
    return points


def _trained_scores(
    parts: LabelParts,
    scheme: LabelScheme,
    base: str | Path,
    folder: Path,
    recipe: Recipe,
    replay: Replay | None,
    device: str,
) -> dict[str, Interval]:
    """The scores of a training whose checkpoint is not kept."""
    run = folder.with_name(folder.name + ".run")
    for left_over in (folder, run):
        shutil.rmtree(left_over, ignore_errors=True)
    train(parts.train, parts.dev, scheme, base=base, output=folder, recipe=recipe, replay=replay, device=device)
    scores = _scores(folder, parts.held_out, device)
    for done in (folder, run):
        shutil.rmtree(done)
    return scores


def _growing(examples: Sequence[Example], seed: int) -> list[tuple[Example, ...]]:
    """Growing parts of the articles, in an order that the seed draws."""
    articles = group_articles(examples)
    random.Random(f"{seed}/learning-curve").shuffle(articles)
    counts = dict.fromkeys(max(1, round(share * len(articles))) for share in _SHARES)
    return [tuple(e for article in articles[:count] for e in article) for count in counts]


def _is_too_small(parts: LabelParts, scheme: LabelScheme) -> bool:
    try:
        check_trainable(parts.train, parts.dev, scheme)
    except LabelError:
        return True
    return False


def _scores(folder: Path, examples: Sequence[Example], device: str) -> dict[str, Interval]:
    classifier = StanceClassifier.from_pretrained(folder, device=device)
    found = by_key(examples, classifier.classify(articles_of(examples)))
    labelled = {name for example in examples for name in example.labels}
    scores: dict[str, Interval] = {}
    for field in classifier.scheme.fields:
        if field.name not in labelled:
            continue
        part = join(examples, found, field)
        counts = confusion_by_group(part.gold, part.predicted, field.labels, part.articles)
        if len(counts) < 2:
            value = float(f1_macro_of(counts.sum(0, keepdims=True).astype(np.float64))[0])
            scores[field.name] = (value, None, None)
            continue
        interval = bootstrap_counts(f1_macro_of, [counts], seed=0)
        scores[field.name] = (interval.estimate, interval.low, interval.high)
    return scores


def _read(path: Path) -> list[Point]:
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    return [Point(row["sentences"], {name: tuple(v) for name, v in row["scores"].items()}) for row in rows]


_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 560, 340, 52, 46, 16
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's


def plot(points: Sequence[Point]) -> str:
    """The curve as SVG: f1_macro of each field, with its interval, against the number of sentences."""
    most = max([point.sentences for point in points] + [1])
    right, base = _WIDTH - 170, _HEIGHT - _BOTTOM

    def x(sentences: int) -> float:
        return round(_LEFT + sentences / most * (right - _LEFT), 1)

    def y(score: float) -> float:
        return round(base - score * (base - _TOP), 1)

    body = []
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        body.append(f'<line x1="{_LEFT}" x2="{right}" y1="{y(tick)}" y2="{y(tick)}" stroke="#8884"/>')
        body.append(f'<text x="{_LEFT - 8}" y="{y(tick) + 4}" text-anchor="end">{tick:.1f}</text>')
    body += [
        f'<text x="{x(point.sentences)}" y="{base + 18}" text-anchor="middle">{point.sentences}</text>'
        for point in points
    ]
    names = dict.fromkeys(name for point in points for name in point.scores)
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        here = [(x(point.sentences), *point.scores[name]) for point in points if name in point.scores]
        line = " ".join(f"{left},{y(value)}" for left, value, _, _ in here)
        body.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for left, value, low, high in here:
            body.append(f'<circle cx="{left}" cy="{y(value)}" r="3.5" fill="{colour}"/>')
            if low is not None and high is not None:
                body.append(f'<line x1="{left}" x2="{left}" y1="{y(low)}" y2="{y(high)}" stroke="{colour}"/>')
        body.append(f'<text x="{right + 14}" y="{_TOP + 14 + 18 * number}" fill="{colour}">{escape(name)}</text>')
    middle, height = (_LEFT + right) / 2, _HEIGHT / 2
    body.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">sentences trained on</text>')
    body.append(f'<text x="14" y="{height}" transform="rotate(-90 14 {height})" text-anchor="middle">f1_macro</text>')
    look = 'role="img" font-family="system-ui, sans-serif" font-size="12" fill="#777"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {look}>'
    return "\n".join([head, "<title>f1_macro against the number of sentences trained on</title>", *body, "</svg>", ""])
