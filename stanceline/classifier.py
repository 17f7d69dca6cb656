"""`StanceClassifier`: articles in, predictions out, in the order of the input and in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from stanceline import checkpoint
from stanceline.encoding import Window, WindowEncoder, pool_pieces
from stanceline.errors import CheckpointError, InputError
from stanceline.labels import Field, LabelScheme
from stanceline.language import foreign_language_of
from stanceline.records import Article, FieldPrediction, Prediction, Sentence
from stanceline.runtime import Engine, Logits, load_engine
from stanceline.sentences import split_sentences, title_of
from stanceline.target_marking import mark_sentence, problem_of, sentences_to_read
from stanceline.window_cache import CachedEngine

# Sentences of one article that are packed together at most, and sentences in flight over all articles. Both bound
# the memory; a longer article is read in blocks that know the sentences before them.
BLOCK_SENTENCES = 1024
BUFFER_SENTENCES = 2048

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive sentences of an article, with their windows; what is labelled at once."""

    article: Article
    sentences: tuple[Sentence, ...]
    windows: list[Window]


class StanceClassifier:
    """Labels each sentence of an article with its stance toward each target, and its sentiment.

    Use `from_pretrained`; the constructor takes the parts.

    Args:
        manifest: What the checkpoint says of itself.
        encoder: Cuts articles into windows.
        engine: Runs the windows.
    """

    def __init__(self, manifest: checkpoint.Manifest, encoder: WindowEncoder, engine: Engine) -> None:
        self.manifest = manifest
        self.encoder = encoder
        self.engine = engine
        # Both are computed anew at each access, and needed for each sentence.
        self._fields = manifest.scheme.fields
        self._reference = manifest.reference

    @classmethod
    def from_pretrained(
        cls, model: str | Path | None = None, *, device: str = "auto", cache: bool = True, threads: int = 0
    ) -> "StanceClassifier":
        """Loads a checkpoint.

        Args:
            model: A folder or a hub name; None is the user's promoted checkpoint, or else the shipped one.
            device: `auto`, `cpu` (ONNX Runtime, int8), `torch` (fp32 on CPU, the reference), or a torch device
                such as `cuda`.
            cache: Whether windows that occur again are remembered instead of computed again.
            threads: Windows that the CPU engine runs at once; 0 means one a core.

        Raises:
            CheckpointError: It is missing, damaged, or of another format.
            UsageError: There is no such device.
        """
        folder = checkpoint.find_checkpoint(model)
        manifest = checkpoint.read_manifest(folder)
        encoder = load_encoder(folder, manifest)
        engine = load_engine(folder, manifest, encoder, device, threads)
        return cls(manifest, encoder, CachedEngine(engine) if cache else engine)

    @property
    def scheme(self) -> LabelScheme:
        """The fields that this checkpoint labels."""
        return self.manifest.scheme

    def classify_text(self, text: str, *, title: str | None = None, any_language: bool = True) -> list[Prediction]:
        """Labels the sentences of one text, as the command does those of a file.

        Args:
            text: An article.
            title: None takes the first line, where it looks like a title; "" is no title.
            any_language: See `classify`.

        Raises:
            InputError: The text is not in English, and `any_language` is False.
        """
        title = title_of(text) if title is None else title
        article = Article(article_id="text", text=text, title=title)
        return list(self.classify([article], any_language=any_language))

    def classify(self, articles: Iterable[Article], *, any_language: bool = True) -> Iterator[Prediction]:
        """Labels the sentences of each article, in order.

        A sentence's labels depend on its article alone, not on the other articles or on how many there are.
        The labels hold for English, but what is given here is labelled in whatever language it is. To leave other
        languages out, as the command does, take the articles from `stanceline.readers.read_articles`, or ask
        `stanceline.language.foreign_language`; to be stopped by them, pass `any_language=False`.

        Where the checkpoint reads marked targets, `extra` of the article or of its sentence names the `target`, and
        `target_start` and `target_end`, where it is mentioned in the sentence's text.

        Args:
            articles: Any number; they are taken as they are needed.
            any_language: False refuses articles in other languages than English.

        Yields:
            One prediction a sentence.

        Raises:
            InputError: When it is reached, an article that is not in English, if `any_language` is False; or one whose
                targets cannot be marked. Predictions of the articles just before it may be lost with it.
            TypeError: When it is reached, something that is no `Article`.
        """
        articles = map(_checked, articles)
        taken = articles if any_language else map(_in_english, articles)
        blocks = ((article, block) for article in taken for block in self.blocks(article))
        for _, predictions in self.label(blocks):
            yield from predictions

    def blocks(self, article: Article, skip: int = 0) -> Iterator[Block]:
        """Cuts an article into blocks of at most `BLOCK_SENTENCES`, lazily; an article without a sentence has none.

        Args:
            article: What to cut.
            skip: Blocks at the beginning that are not wanted; those behind them are the same as without it.

        Raises:
            InputError: The checkpoint reads marked targets, and the article's cannot be marked.
        """
        if self.manifest.model.is_marked and (problem := problem_of(article)) is not None:
            raise InputError(f"article {article.article_id!r} {problem}")
        given = sentences_to_read(article) if self.manifest.model.is_marked else article.sentences
        sentences = iter(given if given is not None else split_sentences(article.text or ""))
        title = self.encoder.title_ids(article.title)
        overlap = self.encoder.config.overlap
        before: list[list[int]] = []
        number = 0
        while block := tuple(islice(sentences, BLOCK_SENTENCES)):
            number += 1
            if number <= skip:
                tail = block[len(block) - overlap :] if overlap and number == skip else ()
                before, _ = self._read(article, tail)
                continue
            ids, targets = self._read(article, block)
            windows = self.encoder.windows(ids, title, targets=targets, related=article.related, before=before)
            yield Block(article, block, windows)
            before = ids[len(ids) - overlap :] if overlap else []

    def _read(self, article: Article, sentences: Sequence[Sentence]) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of sentences as the model reads them, and of the targets that stand before them."""
        if not self.manifest.model.is_marked:
            return self.encoder.tokenize([sentence.text for sentence in sentences]), []
        read = [mark_sentence(article, sentence) for sentence in sentences]
        return self.encoder.tokenize([m.text for m in read]), self.encoder.target_ids([m.target for m in read])

    def label(self, blocks: Iterable[tuple[K, Block]]) -> Iterator[tuple[K, list[Prediction]]]:
        """Labels blocks, in order; the key beside each is handed back with its predictions.

        The engine works on one buffer of blocks while the next one is read and cut.
        """
        running: tuple[list[tuple[K, Block]], Iterator[Logits]] | None = None
        for buffer in _buffers(blocks):
            started = self.engine.run([window for _, block in buffer for window in block.windows])
            if running is not None:
                yield from self._predictions(*running)
            running = buffer, started
        if running is not None:
            yield from self._predictions(*running)

    def _predictions(
        self, buffer: Sequence[tuple[K, Block]], logits: Iterator[Logits]
    ) -> Iterator[tuple[K, list[Prediction]]]:
        for key, block in buffer:
            results = list(islice(logits, len(block.windows)))
            yield key, self._predict(block, results) if results else []

    def _predict(self, block: Block, results: Sequence[Logits]) -> list[Prediction]:
        columns = []
        for place, field in enumerate(self._fields):
            scores = pool_pieces(block.windows, [result[place] for result in results], len(block.sentences))
            probabilities = softmax(scores / self.manifest.calibration.temperatures[field.name])
            columns.append(zip(repeat(field), probabilities.argmax(-1).tolist(), probabilities.tolist()))
        return [
            self._prediction(block.article, sentence, {f.name: _named(f, best, row) for f, best, row in fields})
            for sentence, *fields in zip(block.sentences, *columns, strict=True)
        ]

    def _prediction(self, article: Article, sentence: Sentence, fields: dict[str, FieldPrediction]) -> Prediction:
        return Prediction(
            article_id=article.article_id,
            sentence_index=sentence.index,
            text=sentence.text,
            fields=fields,
            checkpoint=self._reference,
            title=article.title,
            source=article.source,
            date=article.date,
            start=sentence.start,
            end=sentence.end,
            extra={**article.extra, **sentence.extra} if sentence.extra else article.extra,
        )


def _named(field: Field, best: int, probabilities: Sequence[float]) -> FieldPrediction:
    return FieldPrediction(field.labels[best], probabilities[best], dict(zip(field.labels, probabilities, strict=True)))


def _checked(article: Article) -> Article:
    if not isinstance(article, Article):
        raise TypeError(f"expected an Article, got {type(article).__name__}; for a text there is classify_text")
    return article


def _in_english(article: Article) -> Article:
    language = foreign_language_of(article)
    if language is not None:
        message = f"is in {language}, and the labels hold for English; leave it out or pass any_language=True"
        raise InputError(f"article {article.article_id!r}: {message}")
    return article


def _buffers(blocks: Iterable[tuple[K, Block]]) -> Iterator[list[tuple[K, Block]]]:
    """Blocks in lists that hold about `BUFFER_SENTENCES`."""
    buffer: list[tuple[K, Block]] = []
    buffered = 0
    for keyed in blocks:
        buffer.append(keyed)
        # An empty block counts too: a million unreadable inputs in a row must not wait in memory.
        buffered += max(1, len(keyed[1].sentences))
        if buffered >= BUFFER_SENTENCES:
            yield buffer
            buffer, buffered = [], 0
    if buffer:
        yield buffer


def load_encoder(folder: Path, manifest: checkpoint.Manifest) -> WindowEncoder:
    """The tokenizer of a checkpoint, verified, with its window shape.

    Raises:
        CheckpointError: The tokenizer is damaged.
    """
    checkpoint.verify(folder, manifest, (checkpoint.TOKENIZER,))
    try:
        tokenizer = Tokenizer.from_file(str(folder / checkpoint.TOKENIZER))
    except Exception as error:  # tokenizers raises bare Exception
        raise CheckpointError(f"{folder / checkpoint.TOKENIZER}: cannot be read: {error}") from error
    return WindowEncoder(tokenizer, manifest.special, manifest.model)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True))
