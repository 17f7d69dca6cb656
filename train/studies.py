"""What the studies share: rows that are written down as they are found, and checkpoints that are trained once."""

import json
from pathlib import Path


def rows_of(path: Path) -> list[dict]:
    """The rows found so far; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def add_row(path: Path, row: dict) -> None:
    """Writes a row down, and prints it."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def train_once(examples, chosen_by, scheme, *, base: str, output: Path, recipe) -> None:
    """Trains, unless the checkpoint is there; an interrupted training goes on."""
    from stanceline.training import train

    if not output.exists():
        resume = (output.with_name(output.name + ".run") / "state.safetensors").exists()
        train(examples, chosen_by, scheme, base=base, output=output, recipe=recipe, resume=resume)
