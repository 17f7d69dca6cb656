"""Labelled articles as tensors: cut anew and batched anew in every epoch, the same for a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stanceline.config import Recipe
from stanceline.encoding import Batch, Window, WindowEncoder, random_cuts, token_batches
from stanceline.errors import LabelError
from stanceline.labels import LabelScheme
from stanceline.name_swaps import swap_names
from stanceline.records import Example
from stanceline.target_marking import Marked, mark

IGNORED = -100  # gold index of a field that is not labelled, as torch's cross_entropy has it


@dataclass(frozen=True, slots=True)
class TrainingArticle:
    """The labelled sentences of an article, tokenized."""

    examples: tuple[Example, ...]
    token_ids: list[list[int]]
    title_ids: list[int]
    gold: NDArray[np.int64]  # (N, F) label indices, IGNORED where not labelled
    weights: NDArray[np.float32]  # (N,)
    target_ids: list[list[int]]  # of the targets that stand before their sentences; empty ones where none does
    soft: NDArray[np.float32] | None = None  # (N, sum of C) probabilities of a teacher, the fields side by side


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """A padded batch with its labels; padding has gold IGNORED and weight 0."""

    inputs: Batch
    gold: NDArray[np.int64]  # (B, S, F)
    weights: NDArray[np.float32]  # (B, S)
    soft: NDArray[np.float32] | None  # (B, S, sum of C)
    count: int  # labelled sentences


Unit = tuple[int, Window]  # position of the article, window


def prepare(groups: Sequence[Sequence[Example]], encoder: WindowEncoder, scheme: LabelScheme) -> list[TrainingArticle]:
    """Tokenizes articles.

    Args:
        groups: The examples of each article, in the order of its sentences.
        encoder: Tokenizer and window shape.
        scheme: The fields; a label of another field is ignored.

    Raises:
        LabelError: The model reads marked targets, and a row's cannot be marked.
    """
    articles = []
    for group in groups:
        gold = np.full((len(group), len(scheme.fields)), IGNORED, dtype=np.int64)
        for row, example in enumerate(group):
            for column, field in enumerate(scheme.fields):
                if (label := example.labels.get(field.name)) is not None:
                    gold[row, column] = field.labels.index(label)
        read = [_read(example, encoder) for example in group]
        articles.append(
            TrainingArticle(
                examples=tuple(group),
                token_ids=encoder.tokenize([marked.text for marked in read]),
                title_ids=encoder.title_ids(group[0].title) if group[0].related else [],
                gold=gold,
                weights=np.array([example.weight for example in group], dtype=np.float32),
                target_ids=encoder.target_ids([marked.target for marked in read]),
            )
        )
    return articles


def _read(example: Example, encoder: WindowEncoder) -> Marked:
    """A sentence as the model reads it."""
    if not encoder.config.is_marked:
        return Marked(example.text)
    try:
        return mark(example.text, example.extra)
    except ValueError as error:
        place = f"sentence {example.sentence_index} of article {example.article_id!r}"
        raise LabelError(f"{place}: {error}") from error


def windows_of(article: TrainingArticle, encoder: WindowEncoder) -> list[Window]:
    """The windows of a whole article, as it is classified."""
    related = article.examples[0].related
    return encoder.windows(article.token_ids, article.title_ids, targets=article.target_ids, related=related)


def epoch_steps(
    articles: Sequence[TrainingArticle], encoder: WindowEncoder, recipe: Recipe, epoch: int
) -> list[list[list[Unit]]]:
    """The optimizer steps of one epoch: each a list of forward passes, each a list of windows.

    The same for the same seed and epoch, so that an interrupted training goes on where it was.
    """
    rng = random.Random(f"{recipe.seed}/{epoch}")
    units: list[Unit] = []
    for position, article in enumerate(articles):
        cuts, untitled = random_cuts(len(article.token_ids), recipe.augment, rng)
        token_ids, title_ids, target_ids = article.token_ids, article.title_ids, article.target_ids
        if recipe.augment.swap_names_probability and rng.random() < recipe.augment.swap_names_probability:
            token_ids, title_ids, target_ids = _swapped(article, encoder, rng)
        related = article.examples[0].related
        windows = encoder.windows(
            token_ids, () if untitled else title_ids, targets=target_ids, related=related, cuts=cuts
        )
        units += [(position, window) for window in windows]
    # Noise on the lengths, so that windows of one length do not meet in every epoch.
    lengths = [len(window.token_ids) + rng.randrange(32) for _, window in units]
    passes = list(token_batches(units, lengths, recipe.batch_tokens))
    rng.shuffle(passes)
    steps: list[list[list[Unit]]] = []
    count = recipe.batch_sentences
    for units_of_pass in passes:
        if count >= recipe.batch_sentences:
            steps.append([])
            count = 0
        steps[-1].append(units_of_pass)
        count += sum(len(window.spans) for _, window in units_of_pass)
    return steps


def _swapped(
    article: TrainingArticle, encoder: WindowEncoder, rng: random.Random
) -> tuple[list[list[int]], list[int], list[list[int]]]:
    """Token ids of the sentences, the title and the targets, with the names of the article exchanged."""
    first = article.examples[0]
    read = [_read(example, encoder) for example in article.examples]
    title, *texts = swap_names([first.title, *(m.text for m in read), *(m.target for m in read)], rng)
    sentences, targets = texts[: len(read)], texts[len(read) :]
    return encoder.tokenize(sentences), encoder.title_ids(title) if first.related else [], encoder.target_ids(targets)


def sentences_in(step: Sequence[Sequence[Unit]]) -> int:
    """Spans in a step."""
    return sum(len(window.spans) for units in step for _, window in units)


def collate(units: Sequence[Unit], articles: Sequence[TrainingArticle], encoder: WindowEncoder) -> TrainingBatch:
    """Pads windows and their labels."""
    inputs = encoder.collate([window for _, window in units])
    rows, spans, _ = inputs.spans.shape
    fields = articles[0].gold.shape[1]
    gold = np.full((rows, spans, fields), IGNORED, dtype=np.int64)
    weights = np.zeros((rows, spans), dtype=np.float32)
    soft_width = next((a.soft.shape[1] for a in articles if a.soft is not None), 0)
    soft = np.zeros((rows, spans, soft_width), dtype=np.float32) if soft_width else None
    for row, (position, window) in enumerate(units):
        article = articles[position]
        gold[row, : len(window.sentences)] = article.gold[window.sentences]
        weights[row, : len(window.sentences)] = article.weights[window.sentences]
        if soft is not None and article.soft is not None:
            soft[row, : len(window.sentences)] = article.soft[window.sentences]
    return TrainingBatch(inputs, gold, weights, soft, sum(len(window.spans) for _, window in units))
