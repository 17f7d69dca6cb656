"""Whole corpora through a classifier: streamed, committed part by part, resumed where they broke off."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from stanceline import checkpoint, target_marking
from stanceline._inputs import STDIN
from stanceline._row_formats import as_json_value
from stanceline.batch_parts import Committed, Parts, Position, encode_row
from stanceline.classifier import Block, StanceClassifier
from stanceline.errors import OutputError, UsageError
from stanceline.labels import LabelScheme
from stanceline.readers import list_inputs, read_articles
from stanceline.records import Article, Prediction, Rejection
from stanceline.runtime import resolve_device
from stanceline.writers import check_output, open_writer, row_columns

# A part is committed when it holds this many sentences: what a kill can cost.
PART_SENTENCES = 8192
_NOTHING = Block(Article(""), (), [])


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the rows, beside the checkpoint and the inputs."""

    columns: tuple[str, ...] = ()  # of the input, carried through
    min_confidence: float | None = None  # below it `FIELD_uncertain` is true
    any_language: bool = False  # label text that is not English, too
    marked: bool = False  # the checkpoint reads marked targets: `for_checkpoint` has added their columns

    def for_checkpoint(self, manifest: checkpoint.Manifest) -> "Options":
        """These options, with the columns of the target where the checkpoint reads it."""
        if not manifest.model.is_marked:
            return self
        return replace(self, columns=tuple(dict.fromkeys((*self.columns, *target_marking.COLUMNS))), marked=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What to label, and with what."""

    inputs: tuple[str, ...]  # files, folders, patterns, or `-`
    model: str | None = None
    device: str = "auto"
    options: Options = Options()
    cache: bool = True
    threads: int = 0  # of the CPU engine; 0 means one a core


@dataclass(frozen=True, slots=True)
class Destination:
    """The files that a run writes."""

    output: Path
    rejected: Path | None = None  # None: beside the output
    force: bool = False  # overwrite what is there, and discard an interrupted run
    resume: bool = False  # go on with an interrupted run

    @property
    def rejected_file(self) -> Path:
        """Where the inputs that were left out are listed."""
        return self.rejected or self.output.with_name(self.output.name + ".rejected.jsonl")

    @property
    def parts_folder(self) -> Path:
        """Where the parts lie until the output is whole."""
        return self.output.with_name(self.output.name + ".partial")


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one block: rows, or a rejected input."""

    position: Position  # behind it
    rows: list[dict[str, Any]]
    rejected: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended."""

    rows: int
    rejected: int
    rejected_file: Path | str | None  # None: nothing was rejected
    kept: Path | None = None  # where what is done waits for `resume`, if the run was stopped
    finished: bool = True


Report = Callable[[Step], None]
_BEGINNING = Position()


def label_articles(
    classifier: StanceClassifier,
    items: Iterable[Article | Rejection],
    options: Options,
    start: Position = _BEGINNING,
) -> Iterator[Step]:
    """Labels a stream of articles, in order and in bounded memory.

    Args:
        classifier: What labels them.
        items: Articles, and inputs that could not be read as such.
        options: What the rows hold.
        start: Where an earlier run over the same items stopped.

    Raises:
        OutputError: A wanted column has the name of a column of the prediction, or the item at `start` is another one
            than then.
    """
    _check_columns(classifier.scheme, options)
    keyed = ((step, block) for step, block in _blocks(classifier, items, options, start))
    for step, predictions in classifier.label(keyed):
        yield replace(step, rows=[row_of(prediction, options) for prediction in predictions])


def _blocks(
    classifier: StanceClassifier, items: Iterable[Article | Rejection], options: Options, start: Position
) -> Iterator[tuple[Step, Block]]:
    for number, item in enumerate(items):
        if number < start.item:
            continue
        done = start.blocks if number == start.item else 0
        if done and item.article_id != start.article_id:
            raise OutputError(
                f"the input has changed: item {number + 1} was {start.article_id!r}, is {item.article_id!r}; "
                "start anew with --force"
            )
        blocks = done
        if isinstance(item, Article):
            for block in classifier.blocks(item, skip=done):
                blocks += 1
                yield Step(Position(number, blocks, item.article_id), []), block
            rejected = Rejection(
                item.article_id, item.article_id, "holds no sentence; give it some text or leave it out"
            )
        else:
            rejected = item
        if not blocks:
            yield Step(Position(number, 1, item.article_id), [], rejected), _NOTHING


def read_items(inputs: Sequence[str], options: Options) -> Iterator[Article | Rejection]:
    """The articles of the inputs, and what was left out, in one order.

    Raises:
        InputError, UsageError: As `read_articles`, at once.
    """
    rejections: deque[Rejection] = deque()
    articles = read_articles(
        inputs,
        any_language=options.any_language,
        columns=options.columns,
        marked=options.marked,
        reject=rejections.append,
    )
    return _interleaved(articles, rejections)


def _interleaved(articles: Iterator[Article], rejections: deque[Rejection]) -> Iterator[Article | Rejection]:
    for article in articles:
        while rejections:
            yield rejections.popleft()
        yield article
    yield from rejections


def row_of(prediction: Prediction, options: Options) -> dict[str, Any]:
    """A prediction as a row, with the columns that the options ask for."""
    row = prediction.to_row()
    # The same columns in the same order in every row, also of an input that has none of them.
    carried = {name: as_json_value(row.pop(name, None)) for name in options.columns}
    if options.min_confidence is not None:
        for name, field in prediction.fields.items():
            row[f"{name}_uncertain"] = field.confidence < options.min_confidence
    row.update(carried)
    return row


def classify_corpus(
    request: Request,
    destination: Destination,
    *,
    report: Report,
    should_stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Labels a corpus into a file, part by part; the file has its name only when it is whole.

    Args:
        request: What to label.
        destination: Where to.
        report: Called after each block.
        should_stop: Asked after each block; what is done then is kept, to be resumed.

    Returns:
        What was labelled in all, by this run and by those that it went on with.

    Raises:
        OutputError: An output exists or cannot be written, or an interrupted run is in its place or is another one.
        InputError: An input is not there.
        CheckpointError, UsageError: The checkpoint or the device cannot be used.
    """
    _check_outputs(request, destination)
    manifest = checkpoint.read_manifest(checkpoint.find_checkpoint(request.model))
    request = replace(request, options=request.options.for_checkpoint(manifest))
    _check_columns(manifest.scheme, request.options)
    items = read_items(request.inputs, request.options)
    parts = _claim(request, destination, manifest)
    try:
        finished = parts.is_joined or _label_into(parts, items, request, report, should_stop)
        if finished:
            _assemble(parts, request.options, destination, manifest.scheme)
    finally:
        # What holds nothing is in the way of the next run, and worth nothing.
        if not parts.committed.parts:
            parts.remove()
    done = parts.committed
    if not finished:
        return Summary(done.rows, done.rejected, None, parts.folder if done.parts else None, finished=False)
    parts.remove()
    return Summary(done.rows, done.rejected, destination.rejected_file if done.rejected else None)


def stream(request: Request) -> Iterator[Step]:
    """Labels a corpus step by step, for somebody who waits for it; nothing is kept on disk.

    Raises:
        InputError, OutputError, CheckpointError, UsageError: At once, as `classify_corpus`.
    """
    manifest = checkpoint.read_manifest(checkpoint.find_checkpoint(request.model))
    request = replace(request, options=request.options.for_checkpoint(manifest))
    _check_columns(manifest.scheme, request.options)
    items = read_items(request.inputs, request.options)
    return label_articles(load_classifier(request), items, request.options)


def load_classifier(request: Request) -> StanceClassifier:
    """The classifier that the request asks for."""
    return StanceClassifier.from_pretrained(
        request.model, device=request.device, cache=request.cache, threads=request.threads
    )


def _check_outputs(request: Request, destination: Destination) -> None:
    """Refuses outputs that are there already or cannot be written, before any work is done."""
    parts = Parts(destination.parts_folder, Committed())
    for kind, path in (("rows", destination.output), ("rejected", destination.rejected_file)):
        check_output(path, force=destination.force or (destination.resume and parts.has_released(kind)))
    if destination.output.exists():
        output = destination.output.resolve()
        for name in request.inputs:
            if name != STDIN and Path(name).resolve() in (output, *output.parents):
                raise UsageError(f"-o {destination.output}: is itself an input, through {name}; choose another place")


def _check_columns(scheme: LabelScheme, options: Options) -> None:
    row_columns(scheme.fields, options.columns, uncertain=options.min_confidence is not None)


def _claim(request: Request, destination: Destination, manifest: checkpoint.Manifest) -> Parts:
    """The folder of parts: a new one, or with `resume` the one that an interrupted run has left."""
    folder = destination.parts_folder
    run = {
        "checkpoint": manifest.reference,
        "device": resolve_device(request.device),
        "options": {**asdict(request.options), "columns": list(request.options.columns)},
        "inputs": list(request.inputs),
        "files": _digest(list_inputs(request.inputs)),
    }
    if destination.resume:
        return Parts.resume(folder, run)
    if not destination.force and Parts.is_in_use(folder):
        raise OutputError(f"{folder}: an interrupted run is there; go on with --resume, or start anew with --force")
    return Parts.create(folder, run)


def _digest(files: Sequence[Mapping[str, str | int]]) -> str:
    """Their number and a hash: a change between two runs shows, and a million files fit on a line."""
    return f"{len(files)}, {sha256(json.dumps(files).encode()).hexdigest()[:16]}"


def _label_into(
    parts: Parts,
    items: Iterator[Article | Rejection],
    request: Request,
    report: Report,
    should_stop: Callable[[], bool],
) -> bool:
    """Labels what is not labelled yet, part by part; False where it was stopped before the end."""
    rows: list[bytes] = []
    rejected: list[bytes] = []
    position = parts.committed.position
    stopped = False
    for step in label_articles(load_classifier(request), items, request.options, position):
        rows.extend(map(encode_row, step.rows))
        if step.rejected is not None:
            rejected.append(encode_row(step.rejected.to_row()))
        position = step.position
        report(step)
        if len(rows) + len(rejected) >= PART_SENTENCES:
            parts.commit(rows, rejected, position)
            rows, rejected = [], []
        stopped = should_stop()
        if stopped:
            break
    if rows or rejected:
        parts.commit(rows, rejected, position)
    return not stopped


def _assemble(parts: Parts, options: Options, destination: Destination, scheme: LabelScheme) -> None:
    """Puts the parts together and gives them their names; can be broken off and done again at any point."""
    output, done = destination.output, parts.committed
    if not parts.is_joined:
        if done.rows and output.suffix.lower() == ".jsonl":
            parts.concatenate("rows", parts.joined("rows"))
        elif done.rows:
            _convert(parts, options, scheme, output)
        if done.rejected:
            parts.concatenate("rejected", parts.joined("rejected"))
        parts.mark_joined()
    parts.release("rows", output)
    parts.release("rejected", destination.rejected_file)
    if not done.rejected:
        destination.rejected_file.unlink(missing_ok=True)  # of an earlier run, which is overwritten


def _convert(parts: Parts, options: Options, scheme: LabelScheme, output: Path) -> None:
    """Puts the rows together in the format of the output."""
    whole = parts.folder / ("whole" + "".join(output.suffixes[-2:]))
    uncertain = options.min_confidence is not None
    writer = open_writer(whole, scheme_fields=scheme.fields, columns=options.columns, uncertain=uncertain, force=True)
    with writer:
        writer.write_rows(parts.rows())
    whole.replace(parts.joined("rows"))
