"""`stanceline classify` as a person meets it: what it prints, writes, refuses, and with which status it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from stanceline.batch import Destination
from stanceline.cli import main
from stanceline.listing import Listing, printable

TEXT = (
    "Envoys gather in Lusaka\n\nLUSAKA, June 3. Ministers of nine states will meet here on Thursday to discuss a "
    "charter of restraint. The hosts called it overdue. Nobody from the alliance has said whether it will come."
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Run:
    """Runs `stanceline classify` with the tiny checkpoint; gives status, stdout, stderr."""

    def classify(*arguments: str | Path, model: str | Path = tiny_checkpoint) -> tuple[int, str, str]:
        flags = ["--model", str(model), "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["stanceline", "classify", *map(str, arguments), *flags])
        with pytest.raises(SystemExit) as ended:
            main()
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return classify


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "article.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_pipe_gets_a_row_for_each_sentence(run: Run, article: Path):
    status, out, err = run(article)
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [row["sentence_index"] for row in rows] == [0, 1, 2, 3]
    assert all(TEXT[row["start"] : row["end"]] == row["text"] for row in rows)
    assert {row["title"] for row in rows} == {"Envoys gather in Lusaka"}


def test_a_file_gets_the_rows_that_a_pipe_gets(run: Run, article: Path, tmp_path: Path):
    _, piped, _ = run(article)
    status, out, err = run(article, "-o", tmp_path / "out.jsonl")
    assert (status, out) == (0, "")
    assert "4 sentences" in err
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == piped
    assert run(article, "-o", tmp_path / "quiet.jsonl", "--quiet") == (0, "", "")


def test_standard_input_is_read(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode()), encoding="utf-8"))
    status, out, _ = run("-")
    assert status == 0
    assert len(out.splitlines()) == 4


def test_what_cannot_be_read_is_listed_and_the_rest_is_labelled(run: Run, article: Path, tmp_path: Path):
    empty = tmp_path / "empty.txt"
    empty.touch()
    status, _, err = run(article, empty, "-o", tmp_path / "out.csv")
    (rejected,) = map(json.loads, (tmp_path / "out.csv.rejected.jsonl").read_text().splitlines())
    assert status == 3
    assert "1 inputs were left out" in err
    assert (rejected["article_id"], rejected["reason"]) == ("empty.txt", "is empty; leave it out")
    assert (tmp_path / "out.csv").exists()
    status, out, err = run(article, empty)
    assert status == 3
    assert len(out.splitlines()) == 4
    assert err == f"stanceline: {empty}: is empty; leave it out\n"


def test_rejects_go_where_they_are_asked_for(run: Run, article: Path, tmp_path: Path):
    (tmp_path / "empty.txt").touch()
    status, _, _ = run(
        article, tmp_path / "empty.txt", "-o", tmp_path / "out.jsonl", "--rejected", tmp_path / "no.jsonl"
    )
    assert status == 3
    assert len((tmp_path / "no.jsonl").read_text().splitlines()) == 1
    assert not (tmp_path / "out.jsonl.rejected.jsonl").exists()


def test_nothing_usable_is_status_one_and_no_output(run: Run, tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(b"\x00\x01\x02\x03")
    status, _, err = run(tmp_path / "a.txt", "-o", tmp_path / "out.jsonl")
    assert status == 1
    assert "nothing could be labelled" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "out.jsonl.rejected.jsonl"]
    assert run(tmp_path / "a.txt")[0] == 1


def test_an_output_that_exists_is_refused_before_the_model_is_looked_at(run: Run, article: Path, tmp_path: Path):
    (tmp_path / "out.jsonl").write_text("mine")
    status, _, err = run(article, "-o", tmp_path / "out.jsonl", model=tmp_path / "no-such-model")
    assert status == 1
    assert "out.jsonl: exists already" in err
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    assert run(article, "-o", tmp_path / "out.jsonl", "--force")[0] == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 4


def test_force_removes_the_rejects_of_the_run_that_it_overwrites(run: Run, article: Path, tmp_path: Path):
    (tmp_path / "empty.txt").touch()
    assert run(article, tmp_path / "empty.txt", "-o", tmp_path / "out.jsonl")[0] == 3
    assert run(article, "-o", tmp_path / "out.jsonl", "--force")[0] == 0
    assert not (tmp_path / "out.jsonl.rejected.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["{article}", "-o", "{folder}/out.xlsx"], 1, "use .jsonl, .csv or .parquet"),
        (["{article}", "-o", "{folder}/no/out.jsonl"], 1, "does not exist"),
        (["{folder}/nothing.txt"], 1, "does not exist"),
        (["{article}", "--resume"], 2, "go with -o"),
        (["{article}", "--min-confidence", "7"], 2, "0<=x<=1"),
        (["{article}", "-o", "{folder}/out.jsonl", "--resume"], 1, "no interrupted run"),
        ([], 2, "INPUT"),
    ],
)
def test_wrong_calls_are_one_line_and_leave_nothing(
    run: Run, article: Path, tmp_path: Path, arguments: list[str], status: int, said: str
):
    given = [argument.format(article=article, folder=tmp_path) for argument in arguments]
    got, out, err = run(*given)
    assert (got, out) == (status, "")
    assert said in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == [article]


def test_another_language_is_refused_by_name_unless_wanted(run: Run, tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text(
        "Le ministre a déclaré jeudi que les pourparlers reprendraient après la trêve. Les alliés n'ont pas répondu.",
        encoding="utf-8",
    )
    status, _, err = run(path)
    assert status == 1
    assert "French" in err
    status, out, _ = run(path, "--any-language")
    assert status == 0
    assert len(out.splitlines()) == 2


def test_columns_and_uncertain_flags_are_added(run: Run, tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text('text,topic,desk\n"Talks began in Lusaka on Monday.",peace,7\n', encoding="utf-8")
    status, out, _ = run(path, "--columns", "topic, desk", "--min-confidence", "0")
    row = json.loads(out)
    assert status == 0
    assert (row["topic"], row["desk"], row["sentiment_uncertain"]) == ("peace", "7", False)
    assert json.loads(run(path, "--min-confidence", "1")[1])["sentiment_uncertain"] is True


def test_a_terminal_gets_a_listing(tiny_checkpoint: Path, article: Path):
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "72", "TERM": "xterm-256color", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "stanceline", "classify", str(article), "--model", str(tiny_checkpoint)]
    done = subprocess.run(
        [*command, "--device", "cpu"], stdout=slave, stderr=subprocess.PIPE, env=environment, check=True
    )
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert done.stderr == b""
    assert "article.txt" in shown
    assert "sentiment: " in shown
    assert "{" not in shown
    assert "\x1b[3" not in shown  # no colours


def listing(rows: list[dict], **console) -> str:
    stream = io.StringIO()
    Listing(Console(file=stream, width=50, **console)).add(rows)
    return stream.getvalue()


ROW = {
    "article_id": "a.txt",
    "title": "Envoys gather",
    "sentence_index": 3,
    "text": "The hosts called the charter of restraint overdue, and nobody answered.",
    "western_policy": "against",
    "sentiment": "negative",
    "western_policy_confidence": 0.934,
    "western_policy_p_against": 0.934,
    "sentiment_confidence": 0.412,
    "sentiment_p_negative": 0.412,
    "sentiment_uncertain": True,
}


def test_the_listing_wraps_and_names_each_label_in_words():
    lines = listing([ROW]).splitlines()
    assert lines == [
        "a.txt  Envoys gather",
        "   3 The hosts called the charter of restraint ",
        "     overdue, and nobody answered.",
        "     − western_policy: against 93 %",
        "     − sentiment: negative 41 %?",
    ]


def test_a_carried_column_is_not_taken_for_a_label():
    assert listing([{**ROW, "coder_confidence": 3, "coder": ["a"]}]) == listing([ROW])


def test_the_listing_is_coloured_unless_told_not_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m− western_policy" in listing([ROW], force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in listing([ROW], force_terminal=True, color_system="standard")


def test_a_text_cannot_command_the_terminal():
    assert printable("a\x1b[2Jb\u202ec\nd\x9be") == "a�[2Jb�c d�e"
    shown = listing([{**ROW, "title": "\x1b]0;owned\x07", "text": "x\x1b[31m [bold]y[/bold]"}], force_terminal=True)
    assert "\x1b]0;" not in shown
    assert "[bold]y[/bold]" in shown


def test_the_cpu_path_imports_neither_torch_nor_transformers(tiny_checkpoint: Path, article: Path):
    code = (
        "import sys; from stanceline.cli import main\n"
        f"sys.argv = ['stanceline', 'classify', {str(article)!r}, '--model', {str(tiny_checkpoint)!r}]\n"
        "try: main()\nexcept SystemExit as end: status = end.code\n"
        "heavy = {'torch', 'transformers', 'datasets', 'sklearn', 'scipy', 'pandas', 'pyarrow', 'trafilatura'}\n"
        "print(status, sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert len(done.stdout.splitlines()) == 5


def test_a_closed_pipe_is_no_error(tiny_checkpoint: Path, article: Path):
    command = [sys.executable, "-m", "stanceline", "classify", str(article), "--model", str(tiny_checkpoint)]
    running = subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.stdout.close()
    error = running.stderr.read()
    running.stderr.close()
    assert (running.wait(), error) == (0, b"")


def test_ctrl_c_ends_cleanly_and_keeps_what_is_done(tiny_checkpoint: Path, tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"text": "Talks number {n} began in Lusaka."}}\n' for n in range(20_000)))
    output = tmp_path / "out.jsonl"
    code = (
        "from stanceline import batch, classifier; from stanceline.cli import main;"
        "batch.PART_SENTENCES, classifier.BUFFER_SENTENCES = 64, 32; main()"
    )
    command = [sys.executable, "-c", code, "classify", str(rows), "-o", str(output), "--no-cache"]
    command += ["--model", str(tiny_checkpoint), "--device", "cpu"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    folder = Destination(output).parts_folder
    while not (folder / "000000.done").exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate()
    assert running.returncode == 130, error
    assert "go on with --resume" in error
    assert not output.exists()
    kept = sum(1 for part in folder.glob("*.rows") for _ in part.read_bytes().splitlines())
    assert 64 <= kept < 20_000
    assert f"{kept:,} sentences are kept" in error
