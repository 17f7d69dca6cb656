"""Text to tokens: an article becomes packed windows in which every sentence keeps its own span.

A window is `[CLS] title [SEP] sentence [SEP] sentence [SEP] ...`. Each sentence is read once, in the context of the
sentences around it, and is pooled from the states of its own tokens. Which sentences share a window depends on
the article alone, never on what else is in a batch. A sentence with a target of its own is read alone behind it:
`[CLS] target [SEP] sentence [SEP]`.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from stanceline.config import AugmentConfig, ModelConfig
from stanceline.errors import ConfigError

T = TypeVar("T")
Ids = Sequence[int]

_LEAST_ROOM = 16  # tokens of a window, beside twice those of a title
# A window's repeated sentences may take this share of it; what is further back is left out. So may a target.
_OVERLAP_SHARE = 0.25
# Shares of the cut articles that become single sentences, and chances of a cut before a sentence otherwise.
_SINGLES_SHARE, _CUT_CHANCES = 0.2, (0.35, 0.12)


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of the encoder's special tokens."""

    cls: int
    sep: int
    pad: int


@dataclass(frozen=True, slots=True)
class Window:
    """One input of the encoder.

    A sentence that is longer than a window is cut into pieces that stand in windows of their own.
    """

    token_ids: list[int]  # (T,)
    spans: list[tuple[int, int]]  # (S,) token ranges that are scored
    sentences: list[int]  # (S,) position in the article of the sentence that each span belongs to


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows padded to one shape."""

    input_ids: NDArray[np.int64]  # (B, T)
    attention_mask: NDArray[np.int64]  # (B, T), 1 where there is a token
    spans: NDArray[np.int64]  # (B, S, 2), (0, 0) where there is no sentence


class WindowEncoder:
    """Cuts articles into windows.

    Args:
        tokenizer: Any fast tokenizer; its own truncation and padding are switched off.
        special: Ids of its special tokens.
        config: Shape of the windows.

    Raises:
        ConfigError: `max_length` leaves no room for a sentence beside the title.
    """

    def __init__(self, tokenizer: Tokenizer, special: SpecialTokens, config: ModelConfig) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.special = special
        self.config = config
        # [CLS] title [SEP] overlap sentence [SEP]
        least = 2 * config.title_length + _LEAST_ROOM
        if config.max_length < least:
            or_title = f", or title_length to {(config.max_length - _LEAST_ROOM) // 2} or less"
            raise ConfigError(
                f"windows of {config.max_length} tokens (max_length, or what the encoder can read) are too short for "
                f"titles of {config.title_length}; under [model] in the recipe, set max_length to {least} or more"
                + (or_title if config.max_length >= _LEAST_ROOM else "")
            )

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens. A text without any known character gets none."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def title_ids(self, title: str) -> list[int]:
        """Token ids of a title, as many as a window takes."""
        if not title or not self.config.title_length or self.config.context == "none":
            return []
        return self.tokenize([title])[0][: self.config.title_length]

    def target_ids(self, targets: Sequence[str]) -> list[list[int]]:
        """Token ids of targets that stand before their sentences, as many as a window takes; none where it is empty."""
        room = int(self.config.max_length * _OVERLAP_SHARE)
        return [ids[:room] for ids in self.tokenize(targets)] if any(targets) else [[] for _ in targets]

    def windows(
        self,
        sentences: Sequence[Ids],
        title: Ids = (),
        *,
        targets: Sequence[Ids] = (),
        related: bool = True,
        before: Sequence[Ids] = (),
        cuts: frozenset[int] = frozenset(),
    ) -> list[Window]:
        """Packs an article.

        Args:
            sentences: Token ids of each sentence.
            title: Token ids of the title; not read twice in a window whose first sentence is the title itself.
            targets: Token ids of each sentence's target, none where it has none of its own; () where no sentence has.
                Behind a target a sentence is read alone, with the target in the place of a title.
            related: False puts each sentence into a window of its own, without title.
            before: Token ids of the sentences that stand before the first one, read as context only.
            cuts: Positions before which nothing is context, as if the article began there.

        Returns:
            Windows in the order of the article; every sentence has at least one span.
        """
        separate = not related or self.config.context == "none"
        windows: list[Window] = []
        current: Window | None = None
        beginning = 0  # what stands before it is no context
        for position, ids in enumerate(sentences):
            if position in cuts:
                beginning, before = position, ()
            target = targets[position] if targets else ()
            alone = separate or bool(target)
            if current is not None and (alone or position in cuts or not self._fits(current, ids)):
                windows.append(current)
                current = None
            if current is None:
                read = sentences[max(beginning, position - self.config.overlap) : position]
                history = [] if alone else self._last([*before, *read])
                is_title = position == 0 and not history and _begins_with(ids, title)
                shown = target if alone else () if is_title else title
                current = self._open(shown, history)
            if self._fits(current, ids):
                _append(current, ids, position, self.special.sep)
                if target:
                    windows.append(current)
                    current = None
                continue
            # Longer than a whole window: pieces of equal size, each in a window of its own.
            room = self.config.max_length - len(current.token_ids) - 1
            pieces = -(-len(ids) // room)
            size = -(-len(ids) // pieces)
            for start in range(0, len(ids), size):
                piece = self._open(shown, history)
                _append(piece, ids[start : start + size], position, self.special.sep)
                windows.append(piece)
            current = None
        if current is not None:
            windows.append(current)
        return windows

    def _fits(self, window: Window, ids: Ids) -> bool:
        return len(window.token_ids) + len(ids) + 1 <= self.config.max_length

    def _last(self, read: list[Ids]) -> list[Ids]:
        """The last of the sentences that were read, as many as a window repeats."""
        return read[max(0, len(read) - self.config.overlap) :]

    def _open(self, title: Ids, history: Sequence[Ids]) -> Window:
        ids = [self.special.cls]
        if title:
            ids += [*title, self.special.sep]
        room = int(self.config.max_length * _OVERLAP_SHARE)
        kept: list[int] = []
        for sentence in reversed(history):
            tail = sentence[-(room - len(kept)) :] if room > len(kept) else ()
            kept = [*tail, self.special.sep, *kept] if tail else kept
        return Window(ids + kept, [], [])

    def collate(self, windows: Sequence[Window]) -> Batch:
        """Pads windows to the longest of them."""
        length = max(len(window.token_ids) for window in windows)
        spans_per_window = max(len(window.spans) for window in windows)
        input_ids = np.full((len(windows), length), self.special.pad, dtype=np.int64)
        attention_mask = np.zeros((len(windows), length), dtype=np.int64)
        spans = np.zeros((len(windows), spans_per_window, 2), dtype=np.int64)
        for row, window in enumerate(windows):
            input_ids[row, : len(window.token_ids)] = window.token_ids
            attention_mask[row, : len(window.token_ids)] = 1
            spans[row, : len(window.spans)] = window.spans
        return Batch(input_ids, attention_mask, spans)


def _begins_with(ids: Ids, title: Ids) -> bool:
    return list(ids[: len(title)]) == list(title)


def _append(window: Window, ids: Ids, position: int, sep: int) -> None:
    start = len(window.token_ids)
    # A sentence of no tokens is pooled from its separator: it has a score, as bad as its text is empty.
    end = start + max(1, len(ids))
    window.token_ids.extend([*ids, sep])
    window.spans.append((start, end))
    window.sentences.append(position)


def random_cuts(count: int, config: AugmentConfig, rng: random.Random) -> tuple[frozenset[int], bool]:
    """Cuts for one article of `count` sentences in one epoch, and whether its title is dropped."""
    if rng.random() >= config.cut_probability:
        return frozenset(), False
    draw = rng.random()
    chance = 1.0 if draw < _SINGLES_SHARE else _CUT_CHANCES[0] if draw < 0.6 else _CUT_CHANCES[1]
    cuts = frozenset(position for position in range(1, count) if rng.random() < chance)
    return cuts, rng.random() < config.drop_title_probability


def token_batches(items: Iterable[T], lengths: Sequence[int], budget: int) -> Iterator[list[T]]:
    """Groups items, sorted by length, so that a padded batch holds at most `budget` tokens (or one item)."""
    order = sorted(zip(lengths, range(len(lengths)), items, strict=True), key=lambda entry: entry[:2])
    batch: list[T] = []
    for length, _, item in order:
        if batch and length * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def pool_pieces(windows: Sequence[Window], logits: Sequence[NDArray[np.float32]], count: int) -> NDArray[np.float64]:
    """(count, C) logits a sentence: the mean over its pieces, weighted by their tokens."""
    if sum(len(window.spans) for window in windows) == count:
        return np.concatenate(logits, dtype=np.float64)  # every sentence is whole
    total = np.zeros((count, logits[0].shape[-1]))
    tokens = np.zeros((count, 1))
    for window, values in zip(windows, logits, strict=True):
        for (start, end), position, row in zip(window.spans, window.sentences, values, strict=True):
            total[position] += row * (end - start)
            tokens[position] += end - start
    return total / tokens
