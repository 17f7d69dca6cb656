"""Devices: `auto` asks torch only where there may be a GPU, and one that cannot compute is refused on one line."""

from pathlib import Path

import pytest
import torch

from stanceline import runtime
from stanceline.classifier import StanceClassifier
from stanceline.errors import UsageError
from stanceline.runtime import resolve_device
from stanceline.training import training_device

BUILD = "cuda: Optional[str] = {cuda}\nhip: Optional[str] = {hip}\nxpu: Optional[str] = None\n"


@pytest.mark.parametrize("device", ["meta", "hip", "hpu", "xla", "nonsense", "cuda:99", ""])
def test_a_device_that_cannot_compute_is_refused_on_one_line(tiny_checkpoint: Path, device: str):
    for use in (
        lambda: StanceClassifier.from_pretrained(tiny_checkpoint, device=device),
        lambda: training_device(device),
    ):
        with pytest.raises(UsageError, match=f"--device {device}: torch cannot compute on it here") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_the_command_refuses_such_a_device_as_wrong_usage(stanceline, tiny_checkpoint: Path, tmp_path: Path):
    (tmp_path / "a.txt").write_text("The envoys met.")
    status, out, err = stanceline("classify", tmp_path / "a.txt", "--model", tiny_checkpoint, "--device", "meta")
    assert (status, out) == (2, "")
    assert err.startswith("stanceline: --device meta")
    assert err.count("\n") == 1


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine with a torch that was built for something, and with a driver, perhaps."""

    def machine(*, cuda: object = None, hip: object = None, driver: str = "", works: bool = True) -> list[str]:
        (tmp_path / "version.py").write_text(BUILD.format(cuda=cuda, hip=hip))
        drivers = {kind: (str(tmp_path / "nowhere"), str(tmp_path / kind)) for kind in ("cuda", "hip")}
        if driver:
            (tmp_path / driver).touch()
        asked: list[str] = []
        monkeypatch.setattr(runtime, "_DRIVERS", drivers)
        monkeypatch.setattr(torch.__spec__, "origin", str(tmp_path / "__init__.py"))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(asked.append("torch")) or works)
        return asked

    return machine


@pytest.mark.parametrize(
    ("given", "device"),
    [
        ({"cuda": "'13.0'", "driver": "cuda"}, "cuda"),
        ({"hip": "'7.1'", "driver": "hip"}, "cuda"),  # torch calls ROCm's devices so
        ({"cuda": "'13.0'", "driver": "cuda", "works": False}, "cpu"),
    ],
)
def test_a_gpu_with_its_driver_is_used_if_torch_can(machine, given: dict, device: str):
    asked = machine(**given)
    assert resolve_device("auto") == device
    assert asked


@pytest.mark.parametrize(
    "given",
    [
        {"cuda": "'13.0'"},  # no driver
        {"cuda": "'13.0'", "driver": "hip"},  # a laptop with AMD's graphics, and the package that everybody gets
        {"hip": "'7.1'", "driver": "cuda"},
        {"driver": "cuda"},  # torch for the CPU
    ],
)
def test_torch_is_not_asked_where_it_can_have_no_gpu(machine, given: dict):
    asked = machine(**given)
    assert resolve_device("auto") == "cpu"
    assert not asked


def test_what_this_torch_is_built_for_is_read_as_torch_says_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    build = Path(torch.__file__).with_name("version.py").read_text(encoding="utf-8")
    (tmp_path / "driver").touch()
    monkeypatch.setattr(runtime, "_DRIVERS", dict.fromkeys(("cuda", "hip"), (str(tmp_path / "driver"),)))
    assert runtime._may_use("cuda", build) == (torch.version.cuda is not None)
    assert runtime._may_use("hip", build) == (torch.version.hip is not None)
