"""What the README shows is what the commands print."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What these set up and run is the whole of the environment and of the tests; CI runs them as they stand.
NOT_RUN_HERE = ("make ",)


def console_blocks() -> list[list[tuple[str, str]]]:
    """The commands of each console block, each with the output that stands under it."""
    blocks = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        commands = [part.partition("\n")[::2] for part in parts]
        blocks.append([(command.partition("  #")[0].strip(), output.rstrip("\n")) for command, output in commands])
    return blocks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("seeds", "models", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.parametrize("block", console_blocks(), ids=lambda block: block[0][0])
def test_the_commands_print_what_the_readme_shows(block: list[tuple[str, str]], folder: Path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    for command, shown in block:
        if command.startswith(NOT_RUN_HERE):
            target = command.split()[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).rstrip("\n") == shown


def test_the_python_example_runs_and_prints_what_it_should():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "against\n"


def test_every_link_of_the_readme_leads_to_a_file():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
