"""The module order of the design (contract in pyproject.toml), and what must not be imported by a light command."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "datasets", "sklearn", "pandas")


def test_modules_import_only_downward():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import stanceline",
        "from stanceline import StanceClassifier",
        "from stanceline.cli import cli; cli.main(['--help'], standalone_mode=False)",
        "import stanceline.review",
    ],
)
def test_light_imports_leave_out_the_heavy_libraries(code: str):
    check = f"import sys; {code}; print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_inference_does_not_import_training():
    check = (
        "import sys, stanceline.classifier, stanceline.runtime; print(sorted(m for m in sys.modules if 'train' in m))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
