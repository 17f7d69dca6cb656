"""A corpus is labelled the same whole, in parts, and after it broke off anywhere."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stanceline import batch, batch_parts
from stanceline import classifier as classifier_module
from stanceline.batch import Destination, Options, Request, classify_corpus
from stanceline.batch_parts import Parts
from stanceline.classifier import StanceClassifier
from stanceline.errors import InputError, OutputError, UsageError
from stanceline.records import Article, Rejection, Sentence
from stanceline.window_cache import CachedEngine

SENTENCES = (
    "The envoy landed in Lusaka before noon.",
    "Her government has backed the charter of restraint since spring.",
    "Critics at home called the new sanctions a mistake.",
    "Nobody expects the alliance to answer this week.",
    "Rain delayed the second session.",
)


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of texts, one of them long, and of inputs that cannot be labelled."""
    folder = tmp_path_factory.mktemp("corpus")
    draw = random.Random(3)
    for number in range(6):
        count = 40 if number == 2 else 5
        (folder / f"{number}.txt").write_text(" ".join(draw.choice(SENTENCES) for _ in range(count)), encoding="utf-8")
    (folder / "1-empty.txt").write_text("")
    (folder / "4-binary.txt").write_bytes(bytes(range(256)))
    rows = [{"article_id": f"row-{n}", "text": draw.choice(SENTENCES), "topic": n} for n in range(4)]
    (folder / "table.jsonl").write_text("\n".join([*map(json.dumps, rows), '{"article_id": "row-4"}']) + "\n")
    return folder


@pytest.fixture(scope="module")
def request_(corpus: Path, tiny_checkpoint: Path) -> Request:
    return Request((str(corpus),), model=str(tiny_checkpoint), device="cpu")


@pytest.fixture
def loaded_once(monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path) -> None:
    """Spares tests of many runs the loading; nothing is remembered from one to the next."""
    classifier = StanceClassifier.from_pretrained(tiny_checkpoint, device="cpu", cache=False)
    monkeypatch.setattr(batch, "load_classifier", lambda request: classifier)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "PART_SENTENCES", 16)
    monkeypatch.setattr(classifier_module, "BLOCK_SENTENCES", 8)
    monkeypatch.setattr(classifier_module, "BUFFER_SENTENCES", 12)


def label(request: Request, output: Path, **options) -> batch.Summary:
    stop = options.pop("should_stop", lambda: False)
    return classify_corpus(request, Destination(output, **options), report=lambda step: None, should_stop=stop)


def contents(output: Path) -> tuple[bytes, bytes]:
    return output.read_bytes(), Destination(output).rejected_file.read_bytes()


def rows_of(output: Path) -> list[dict]:
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


@pytest.mark.usefixtures("small_parts")
def test_every_sentence_gets_a_row_and_every_other_input_a_reason(request_: Request, tmp_path: Path):
    summary = label(request_, tmp_path / "out.jsonl")
    rows, rejected = (
        rows_of(tmp_path / "out.jsonl"),
        rows_of(tmp_path / "out.jsonl.rejected.jsonl"),
    )
    assert summary == batch.Summary(len(rows), len(rejected), tmp_path / "out.jsonl.rejected.jsonl")
    assert [(row["article_id"], row["sentence_index"]) for row in rows] == [
        *((f"{n}.txt", i) for n in range(6) for i in range(40 if n == 2 else 5)),
        *((f"row-{n}", 0) for n in range(4)),
    ]
    assert {Path(row["place"].split(" ")[0]).name.split(":")[0] for row in rejected} == {
        "1-empty.txt",
        "4-binary.txt",
        "table.jsonl",
    }
    assert not (tmp_path / "out.jsonl.partial").exists()


@pytest.mark.usefixtures("small_parts", "loaded_once")
def test_a_run_that_is_stopped_after_any_block_resumes_to_the_same_bytes(request_: Request, tmp_path: Path):
    label(request_, tmp_path / "whole.jsonl")
    steps: list[batch.Step] = []
    classify_corpus(request_, Destination(tmp_path / "counted.jsonl"), report=steps.append)
    for stop_after in range(1, len(steps), 3):
        output = tmp_path / f"{stop_after}.jsonl"
        left = iter(range(stop_after - 1, -1, -1))
        summary = label(request_, output, should_stop=lambda left=left: next(left) == 0)
        assert not summary.finished
        assert not output.exists()
        assert label(request_, output, resume=True).finished
        assert contents(output) == contents(tmp_path / "whole.jsonl")


# A process that is killed closes nothing.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.usefixtures("small_parts", "loaded_once")
def test_a_run_that_dies_at_any_write_resumes_to_the_same_bytes(
    request_: Request, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
):
    label(request_, tmp_path / f"whole{suffix}")
    deaths, death = 0, 0
    while True:
        output = tmp_path / f"{death}{suffix}"
        countdown = SimpleNamespace(left=death)
        with monkeypatch.context() as patch:
            for owner, name in ((os, "fsync"), (Path, "replace"), (batch_parts.shutil, "rmtree")):
                patch.setattr(owner, name, dying(getattr(owner, name), countdown))
            try:
                label(request_, output)
                break  # it lived longer than it had writes
            except Killed:
                deaths += 1
        if output.exists() and not Destination(output).parts_folder.exists():
            pass  # everything was done
        elif Parts.is_in_use(Destination(output).parts_folder):
            label(request_, output, resume=True)
        else:
            label(request_, output)
        assert contents(output) == contents(tmp_path / f"whole{suffix}"), f"died at write {death}"
        assert not Destination(output).parts_folder.exists()
        death += 2 if suffix == ".jsonl" else 7
    assert deaths > 3


def dying(function: Callable, countdown: SimpleNamespace) -> Callable:
    """The function, until the countdown is over; every second time it still does its work."""

    def until_then(*args, **kwargs):
        countdown.left -= 1
        if countdown.left == -1:
            raise Killed
        result = function(*args, **kwargs)
        if countdown.left == -1:
            raise Killed
        return result

    return until_then


@pytest.mark.usefixtures("small_parts")
def test_a_full_disk_is_one_line_and_what_was_labelled_is_kept(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    label(request_, tmp_path / "whole.jsonl")
    output = tmp_path / "out.jsonl"
    with monkeypatch.context() as patch:
        calls = iter(range(100))

        def full(descriptor: int) -> None:
            if next(calls) >= 8:
                raise OSError(28, "No space left on device")

        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"No space left on device.*--resume"):
            label(request_, output)
    assert not output.exists()
    label(request_, output, resume=True)
    assert contents(output) == contents(tmp_path / "whole.jsonl")


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r, other: replace(r, options=Options(min_confidence=0.5)), "options"),
        (lambda r, other: replace(r, device="torch"), "device"),
        (lambda r, other: replace(r, model=other), "checkpoint"),
        (lambda r, other: replace(r, inputs=(*r.inputs, __file__)), "inputs"),
    ],
)
def test_resuming_as_another_run_is_refused(
    change: Callable, named: str, request_: Request, tmp_path: Path, tiny_checkpoint: Path
):
    output = tmp_path / "out.jsonl"
    label(request_, output, should_stop=lambda: True)
    other = tmp_path / "other"
    other.mkdir()
    for file in tiny_checkpoint.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((other / "stanceline.json").read_text())
    manifest["temperatures"]["sentiment"] += 1
    (other / "stanceline.json").write_text(json.dumps(manifest))
    with pytest.raises(OutputError, match=f"was started with {named} "):
        label(change(request_, str(other)), output, resume=True)


@pytest.mark.usefixtures("small_parts")
def test_resuming_over_changed_files_is_refused(tmp_path: Path, request_: Request):
    text = tmp_path / "a.txt"
    text.write_text(" ".join(SENTENCES * 8), encoding="utf-8")
    request = replace(request_, inputs=(str(text),))
    label(request, tmp_path / "out.jsonl", should_stop=lambda: True)
    text.write_text(" ".join(SENTENCES * 9), encoding="utf-8")
    with pytest.raises(OutputError, match="was started with files"):
        label(request, tmp_path / "out.jsonl", resume=True)


@pytest.mark.usefixtures("small_parts")
def test_an_interrupted_run_is_not_thrown_away_without_force(request_: Request, tmp_path: Path):
    output = tmp_path / "out.jsonl"
    label(request_, output, should_stop=lambda: True)
    with pytest.raises(OutputError, match="interrupted run is there"):
        label(request_, output)
    assert label(request_, output, force=True).finished


def test_nothing_to_resume_is_said(request_: Request, tmp_path: Path):
    with pytest.raises(OutputError, match="no interrupted run"):
        label(request_, tmp_path / "out.jsonl", resume=True)


def test_a_folder_that_only_has_the_name_of_one_is_left_alone(request_: Request, tmp_path: Path):
    (tmp_path / "out.jsonl.partial").mkdir()
    (tmp_path / "out.jsonl.partial" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="in the way"):
        label(request_, tmp_path / "out.jsonl", force=True)
    assert (tmp_path / "out.jsonl.partial" / "thesis.txt").exists()


def test_a_run_that_fails_before_its_first_part_leaves_nothing(request_: Request, tmp_path: Path):
    with pytest.raises(UsageError):
        label(replace(request_, device="nonsense"), tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_an_output_among_the_inputs_is_refused(request_: Request, corpus: Path):
    with pytest.raises(UsageError, match="is itself an input"):
        label(request_, corpus / "table.jsonl", force=True)


def test_parts_among_the_inputs_are_not_read(corpus: Path, request_: Request, tmp_path: Path):
    text = tmp_path / "a.txt"
    text.write_text(" ".join(SENTENCES), encoding="utf-8")
    summary = label(replace(request_, inputs=(str(tmp_path),)), tmp_path / "out.jsonl")
    assert (summary.rows, summary.rejected) == (len(SENTENCES), 0)


def test_carried_columns_and_uncertain_flags_are_the_same_in_every_format(
    request_: Request, tmp_path: Path, corpus: Path
):
    import csv

    import pyarrow.parquet as pq

    request = replace(
        request_, inputs=(str(corpus / "table.jsonl"),), options=Options(columns=("topic",), min_confidence=0.6)
    )
    for suffix in (".jsonl", ".csv", ".parquet"):
        label(request, tmp_path / f"out{suffix}")
    expected = rows_of(tmp_path / "out.jsonl")
    assert [row["topic"] for row in expected] == [0, 1, 2, 3]
    for row in expected:
        assert row["sentiment_uncertain"] == (row["sentiment_confidence"] < 0.6)
        assert row["sentiment"] is not None
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert [list(row) for row in (expected[0], table[0], cells[0])] == [list(expected[0])] * 3
    assert [row["text"] for row in table] == [row["text"] for row in cells] == [row["text"] for row in expected]
    assert [row["sentiment_confidence"] for row in table] == pytest.approx(
        [r["sentiment_confidence"] for r in expected]
    )


def test_a_column_that_would_replace_a_label_is_refused(request_: Request, tmp_path: Path):
    with pytest.raises(OutputError, match="sentiment"):
        label(replace(request_, options=Options(columns=("sentiment",))), tmp_path / "out.jsonl")


def test_an_input_that_does_not_exist_is_refused(request_: Request, tmp_path: Path):
    with pytest.raises(InputError):
        label(replace(request_, inputs=(str(tmp_path / "nowhere.txt"),)), tmp_path / "out.jsonl")


class CountingEngine:
    """Gives every span the same logits, at once; counts the windows."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        self.widths = widths
        self.windows = 0

    def run(self, windows):
        self.windows += len(windows)
        return iter([tuple(np.zeros((len(w.spans), width), np.float32) for width in self.widths) for w in windows])


@pytest.fixture(scope="module")
def counted(tiny_checkpoint: Path) -> Callable[[], StanceClassifier]:
    real = StanceClassifier.from_pretrained(tiny_checkpoint, device="cpu")
    widths = tuple(len(field.labels) for field in real.scheme.fields)
    return lambda: StanceClassifier(real.manifest, real.encoder, CountingEngine(widths))


def cached(classifier: StanceClassifier, size: int = 100) -> StanceClassifier:
    return StanceClassifier(classifier.manifest, classifier.encoder, CachedEngine(classifier.engine, size))


def items_of(texts: list[str]) -> list[Article]:
    return [Article(str(n), sentences=(Sentence(0, text),)) for n, text in enumerate(texts)]


def test_a_text_that_occurs_again_is_computed_once(counted: Callable[[], StanceClassifier], monkeypatch):
    monkeypatch.setattr(classifier_module, "BUFFER_SENTENCES", 3)
    plain, remembering = counted(), counted()
    articles = items_of([SENTENCES[n % 5] for n in range(50)])
    expected = list(plain.classify(articles))
    assert list(cached(remembering).classify(articles)) == expected
    assert (plain.engine.windows, remembering.engine.windows) == (50, 5)


def test_the_cache_is_bounded_and_still_right(tiny_checkpoint: Path, monkeypatch):
    monkeypatch.setattr(classifier_module, "BUFFER_SENTENCES", 4)
    plain = StanceClassifier.from_pretrained(tiny_checkpoint, device="cpu", cache=False)
    small = cached(plain, size=2)
    draw = random.Random(0)
    articles = items_of([draw.choice(SENTENCES) for _ in range(60)])
    assert list(small.classify(articles)) == list(plain.classify(articles))
    assert len(small.engine._known) <= 2


def test_another_context_is_another_window(tiny_checkpoint: Path):
    classifier = StanceClassifier.from_pretrained(tiny_checkpoint, device="cpu", cache=True)
    plain = StanceClassifier.from_pretrained(tiny_checkpoint, device="cpu", cache=False)
    articles = [
        Article(str(n), sentences=tuple(Sentence(i, t) for i, t in enumerate((first, SENTENCES[4]))))
        for n, first in enumerate(SENTENCES[:4])
    ]
    assert list(classifier.classify(articles)) == list(plain.classify(articles))


def test_an_article_without_a_sentence_is_rejected(counted: Callable[[], StanceClassifier]):
    items = [Article("blank", sentences=()), *items_of(["Talks began."]), Rejection("x", "x.txt", "is empty")]
    steps = list(batch.label_articles(counted(), items, Options()))
    assert [(len(s.rows), s.rejected.reason if s.rejected else None) for s in steps] == [
        (0, "holds no sentence; give it some text or leave it out"),
        (1, None),
        (0, "is empty"),
    ]


def tiny_rows(count: int) -> Iterator[Article]:
    return (Article(str(n), sentences=(Sentence(0, f"Talks number {n} began."),)) for n in range(count))


def peak_mb() -> float:
    """Resident memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def memory_over(steps: Iterator[batch.Step], every: int) -> list[float]:
    return [peak_mb() for number, _ in enumerate(steps) if number % every == every - 1]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("count", "every"),
    [
        (20_000, 4_000),
        pytest.param(1_000_000, 100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_memory_is_flat_over_many_tiny_rows(counted: Callable[[], StanceClassifier], count: int, every: int):
    memory = memory_over(batch.label_articles(counted(), tiny_rows(count), Options()), every)
    assert max(memory) < 1.1 * memory[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_command_resumes_to_the_same_bytes(corpus: Path, tiny_checkpoint: Path, tmp_path: Path):
    code = (
        "from stanceline import batch, classifier; from stanceline.cli import main;"
        "batch.PART_SENTENCES, classifier.BLOCK_SENTENCES, classifier.BUFFER_SENTENCES = 16, 8, 12; main()"
    )
    many = [str(corpus / f"{n}.txt") for n in range(6)]
    large = tmp_path / "large.txt"
    large.write_text("\n\n".join(" ".join(SENTENCES) + f" Item {n}." for n in range(3000)), encoding="utf-8")

    def command(output: Path, *flags: str) -> list[str]:
        arguments = [
            "classify",
            *many,
            str(large),
            "-o",
            str(output),
            "--model",
            str(tiny_checkpoint),
            "--device",
            "cpu",
        ]
        return [sys.executable, "-c", code, *arguments, "--no-cache", *flags]

    began = time.monotonic()
    subprocess.run(command(tmp_path / "whole.jsonl"), check=True, capture_output=True)
    took = time.monotonic() - began
    draw, output, kills = random.Random(11), tmp_path / "out.jsonl", 0
    for _ in range(40):
        resume = ["--resume"] if Parts.is_in_use(Destination(output).parts_folder) else []
        running = subprocess.Popen(command(output, *resume), stderr=subprocess.PIPE)
        try:
            # Early enough that two kills fall into the work, however the machine's load changes; then it may finish.
            _, error = running.communicate(timeout=draw.uniform(0.15, 0.35) * took if kills < 2 else None)
            assert running.returncode == 0, error
            break
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.communicate()
            kills += 1
            assert not output.exists()
    assert kills >= 2
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
