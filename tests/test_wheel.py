"""The wheel carries what a user needs: the code, the checkpoint, the seeds."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_carries_the_checkpoint_the_seeds_and_the_static_files(tmp_path: Path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("stanceline-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    default = ROOT / "models" / "default"
    shipped = {path.relative_to(default).as_posix() for path in default.rglob("*") if path.is_file()}
    assert {f"stanceline/shipped/default/{name}" for name in shipped} <= names
    assert {f"stanceline/shipped/seeds/{name}" for name in ("labels.jsonl", "targets.toml", "codebook.md")} <= names
    assert {"stanceline/cli/classify.py", "stanceline/review/static/index.html"} <= names
    assert not any(name.startswith(("tests/", "eval/", "train/", "models/")) for name in names)
