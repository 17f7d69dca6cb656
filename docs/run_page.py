"""Runs the commands of a page and puts their real output under them: `docs/run_page.py docs/retraining.md --model M`.

A command stands behind `$ ` in a `console` block; what follows it in the block is its output. The commands run one
after the other in a new folder that holds `articles/`, as the user's own machine would. Between them, comments
play the person: `<!-- correct A B -->` corrects spreadsheet A into B, with the labels of the seeds, and
`<!-- label-arms A -->` labels sentences of the seeds for a target of its own.
"""

import argparse
import csv
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

_FIELDS = ("western_policy", "global_security_proposals", "sentiment")
_ARMS = re.compile(r"\b(arms|weapons?|missiles?|shells|nuclear|warheads?)\b")
ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"```console\n(.*?)```|<!-- ((?:correct|label-arms) .*?) -->", re.DOTALL)


def commands(page: str) -> Iterator[str]:
    """The commands of a page, in order."""
    for match in _BLOCK.finditer(page):
        if match[2]:
            yield match[2]
            continue
        for line in match[1].splitlines():
            if line.startswith("$ "):
                yield line[2:]


def with_outputs(page: str, run: Callable[[str], str]) -> str:
    """The page with what `run` returns under each command."""

    def block(match: re.Match[str]) -> str:
        if match[2]:
            run(match[2])
            return match[0]
        lines = []
        for line in match[1].splitlines():
            if line.startswith("$ "):
                lines += [line, *run(line[2:]).splitlines()]
        return "\n".join(["```console", *lines, "```"])

    return _BLOCK.sub(block, page)


def prepare(folder: Path) -> None:
    """Puts the articles, and files that the page's reader would have written, into a new folder."""
    articles = folder / "articles"
    articles.mkdir(parents=True)
    for path in (ROOT / "seeds" / "articles").iterdir():
        (articles / path.name).write_bytes(path.read_bytes())
    targets = '[arms_exports]\ndescription = "Selling and giving weapons to other states."\naliases = ["arms sales"]\n'
    (folder / "targets.toml").write_text(targets, encoding="utf-8")


def correct(spreadsheet: Path, corrected: Path) -> None:
    """What a person does in the spreadsheet: here the labels come from the seeds."""
    rows = (ROOT / "seeds" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    gold = {(r["article_id"], r["sentence_index"]): r for r in map(json.loads, rows)}
    with spreadsheet.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    for row in table:
        known = gold.get((row["article_id"], int(row["sentence_index"])))
        if known:
            row.update({name: known[name] for name in _FIELDS})
    _write(corrected, table)


def label_arms(path: Path) -> None:
    """Sentences of the seeds about weapons, and twice as many others, labelled after their sentiment: a stand-in."""
    rows = [json.loads(line) for line in (ROOT / "seeds" / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["split"] != "test"]
    is_about = {id(row): bool(_ARMS.search(row["text"])) for row in rows}
    others = [row for row in rows if not is_about[id(row)]][: 2 * sum(is_about.values())]
    stance = {"positive": "favor", "negative": "against", "neutral": "neutral"}
    _write(
        path,
        [
            {
                **{name: row[name] for name in ("article_id", "title", "sentence_index", "text")},
                "arms_exports": stance[row["sentiment"]] if is_about[id(row)] else "none",
            }
            for row in rows
            if is_about[id(row)] or row in others
        ],
    )


def _write(path: Path, table: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def run_command(command: str, folder: Path, more: tuple[str, ...] = ()) -> str:
    """Runs one command of the page and returns what it prints; `more` is added to trainings."""
    if command.startswith("correct "):
        _, spreadsheet, corrected = command.split()
        correct(folder / spreadsheet, folder / corrected)
        return ""
    if command.startswith("label-arms "):
        label_arms(folder / command.split()[1])
        return ""
    words = shlex.split(command)
    if words[1] == "train":
        words += more
    environment = {**os.environ, "STANCELINE_HOME": str(folder / "home")}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command}: exit status {done.returncode}\n{done.stdout}")
    told = {str(folder / "home"): "~/.local/share/stanceline", f"{folder}/": "~/project/", str(ROOT): "~/stanceline"}
    text = done.stdout
    for path, shown in told.items():
        text = text.replace(path, shown)
    return text


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--model", type=Path, help="The checkpoint to begin with; by default the one that ships.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        prepare(folder)
        if arguments.model:
            (folder / "home").mkdir()
            (folder / "home" / "default-checkpoint").write_text(f"{arguments.model.resolve()}\n", encoding="utf-8")
        text = with_outputs(arguments.page.read_text(encoding="utf-8"), lambda command: run_command(command, folder))
    arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
