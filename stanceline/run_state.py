"""What survives an interruption of a training, and how an interruption is taken."""

import json
import shutil
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stanceline.errors import OutputError

STATE, BEST = "state.safetensors", "best.safetensors"

# What a run's folder holds at most at one time, in bytes a parameter: a state (weights and both moments of AdamW)
# beside the state that replaces it, and the best weights.
_BYTES_PER_PARAMETER = 2 * 12 + 4


class Interruption:
    """While it is entered, Ctrl-C and SIGTERM are only noted, to be obeyed between two steps.

    A second Ctrl-C stops at once, as ever.
    """

    def __init__(self) -> None:
        self.asked = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        # Only the main thread may set a signal's handler; a training in another thread is interrupted by its owner.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def require_room(folder: Path, parameters: int) -> None:
    """Makes sure that a run of a model of that size fits on the disk of `folder`, which need not exist yet.

    Raises:
        OutputError: There is not enough room.
    """
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free, needed = shutil.disk_usage(existing).free, parameters * _BYTES_PER_PARAMETER
    if free < needed:
        raise OutputError(
            f"{folder}: {free / 1e6:,.0f} MB are free on that disk, a training of this model needs "
            f"{needed / 1e6:,.0f} MB; make room or choose another --output"
        )


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes a safetensors file, whole or not at all.

    Raises:
        OutputError: It cannot be written; what was there before still is.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error}; make room, then go on with --resume") from error


def save_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, place: Mapping[str, Any]) -> None:
    """Writes weights, optimizer and place of a run.

    Raises:
        OutputError: It cannot be written.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            tensors[f"optimizer.{key}.{names[id(parameter)]}"] = value
    save_tensors(tensors, folder / STATE, {"state": json.dumps(dict(place))})


def load_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Puts weights and optimizer back, and returns the place; None where the run had not come to a first state."""
    path = folder / STATE
    if not path.exists():
        return None
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        place: dict[str, Any] = json.loads(file.metadata()["state"])
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    parameters = dict(model.named_parameters())
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, key, parameter_name = name.split(".", 2)
            parameter = parameters[parameter_name]
            optimizer.state[parameter][key] = tensor if key == "step" else tensor.to(parameter.device)
    return place
