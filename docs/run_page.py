"""Runs the commands of a page and puts their real output under them: `docs/run_page.py docs/retraining.md --model M`.

A command stands behind `$ ` in a `console` block; what follows it in the block is its output. The commands run one
after the other in a new folder that holds `articles/`, as the user's own machine would. Between them, a comment
`<!-- correct A B -->` plays the person who corrects spreadsheet A into B: the labels are those of the seeds.
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
ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"```console\n(.*?)```|<!-- (correct .*?) -->", re.DOTALL)


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
        if "arms" in corrected.stem:  # a person's labels of a target of their own, and of nothing else
            armed = re.search(r"\b(arms|weapons?|missiles?|shells)\b", row["text"])
            row["arms_exports"] = "none" if not armed else "against" if row["sentiment"] == "negative" else "neutral"
            row.update(dict.fromkeys(_FIELDS, ""))
    with corrected.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def run_command(command: str, folder: Path, more: tuple[str, ...] = ()) -> str:
    """Runs one command of the page and returns what it prints; `more` is added to trainings."""
    if command.startswith("correct "):
        _, spreadsheet, corrected = command.split()
        correct(folder / spreadsheet, folder / corrected)
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
    return done.stdout.replace(str(folder / "home"), "~/.local/share/stanceline").replace(f"{folder}/", "~/work/")


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
