"""Engines behind one face: windows in, logits out. ONNX Runtime on CPU, torch elsewhere.

Nothing here imports torch unless a torch engine is asked for.
"""

import importlib.util
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from stanceline.checkpoint import (
    ENCODER_CONFIG,
    ENCODER_WEIGHTS,
    HEADS_WEIGHTS,
    ONNX,
    Manifest,
    verify,
)
from stanceline.encoding import Window, WindowEncoder, token_batches
from stanceline.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    import torch

    from stanceline.model import StanceModel

# What shows that a driver is there, by what torch must be built for to use it: NVIDIA's on Linux, under Windows' Linux
# and on Jetson boards; AMD's (ROCm).
_DRIVERS = {
    "cuda": ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/nvidia0", "/usr/lib/wsl/lib/libcuda.so.1", "/dev/nvmap"),
    "hip": ("/dev/kfd",),
}

# Fusions of ONNX Runtime whose kernels for the CPU take longer than the nodes that they replace; without them a window
# takes a tenth less.
_SLOWER_FUSIONS = ("SkipLayerNormFusion", "BiasGeluFusion")

# Padded tokens of a forward pass at most: on a GPU so many that its cores are full and Python keeps up.
BATCH_TOKENS = 8192
CUDA_BATCH_TOKENS = 32_768
# Forward passes that are given to a GPU before the results of the first are asked for.
PASSES_IN_FLIGHT = 4

Logits = tuple[NDArray[np.float32], ...]  # a field each: (S, C)


class Engine(Protocol):
    """Runs windows through the network."""

    def run(self, windows: Sequence[Window]) -> Iterator[Logits]:
        """Logits of each window's spans, in the order of the windows; they do not depend on the other windows.

        The work may begin at once or when the first result is asked for.
        """
        ...


class OnnxEngine:
    """ONNX Runtime on CPU: one window a run, several runs at once.

    A window is not padded and not batched: dynamic int8 quantization scales a whole tensor, so that a batch would
    make a sentence's score depend on its neighbours, and a packed window fills the matrix multiplications anyway.

    Args:
        model: The ONNX file.
        encoder: Shapes the inputs.
        threads: Windows that run at once; 0 means one a core.
    """

    def __init__(self, model: Path, encoder: WindowEncoder, threads: int = 0) -> None:
        import onnxruntime

        self.encoder = encoder
        self.threads = threads or available_cores()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER_FUSIONS
            )
        except Exception as error:  # onnxruntime raises its own classes without a common base
            raise CheckpointError(f"{model}: ONNX Runtime cannot load it: {error}") from error
        self.inputs = [given.name for given in self.session.get_inputs()]
        self.pool = ThreadPoolExecutor(self.threads)

    def run(self, windows: Sequence[Window]) -> Iterator[Logits]:
        """See `Engine.run`; the work begins at once, and what is left of it is cancelled with the iterator."""
        return self.pool.map(self._run_one, windows)

    def _run_one(self, window: Window) -> Logits:
        batch = self.encoder.collate([window])
        outputs = self.session.run(
            None,
            {name: getattr(batch, name) for name in self.inputs},
        )
        return tuple(output[0] for output in outputs)


class TorchEngine:
    """PyTorch on any device, in padded batches sorted by length.

    On CUDA nothing waits for a single batch: inputs and results travel through pinned memory while the GPU computes,
    and several batches are under way before the results of the first are read.

    Args:
        model: The network, in evaluation mode.
        encoder: Shapes the inputs.
        device: Where it runs.
        batch_tokens: Padded tokens a forward pass at most.
    """

    def __init__(
        self, model: "StanceModel", encoder: WindowEncoder, device: "torch.device", batch_tokens: int = BATCH_TOKENS
    ) -> None:
        self.model = model.to(device).eval()
        self.encoder = encoder
        self.device = device
        self.batch_tokens = batch_tokens
        self.is_queued = device.type == "cuda"  # calls return before the work is done, in the order of the calls

    def run(self, windows: Sequence[Window]) -> Iterator[Logits]:
        """See `Engine.run`; the first batches begin at once."""
        lengths = [len(window.token_ids) for window in windows]
        batches = token_batches(range(len(windows)), lengths, self.batch_tokens)
        flying = deque(self._begin(windows, rows) for rows in islice(batches, PASSES_IN_FLIGHT))
        return self._results(windows, batches, flying)

    def _results(
        self, windows: Sequence[Window], batches: Iterator[list[int]], flying: "deque[_Pass]"
    ) -> Iterator[Logits]:
        results: list[Logits] = [()] * len(windows)
        while flying:
            arrived = flying.popleft()
            arrays = arrived.wait()
            flying.extend(self._begin(windows, rows) for rows in islice(batches, 1))
            for place, row in enumerate(arrived.rows):
                count = len(windows[row].spans)
                results[row] = tuple(array[place, :count] for array in arrays)
        yield from results

    def _begin(self, windows: Sequence[Window], rows: list[int]) -> "_Pass":
        """Queues the forward pass of some windows, and the way of its results to the CPU behind it."""
        import torch

        batch = self.encoder.collate([windows[row] for row in rows])
        with torch.inference_mode():
            outputs = self.model(*map(self._send, (batch.input_ids, batch.attention_mask, batch.spans)))
            # What is copied from CUDA without waiting lands in pinned memory.
            copies = [output.float().to("cpu", non_blocking=self.is_queued) for output in outputs]
        if not self.is_queued:
            return _Pass(rows, copies)
        # Whoever waits for it sleeps: the cores are needed for the next articles.
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self.device))
        return _Pass(rows, copies, done)

    def _send(self, array: NDArray[np.int64]) -> "torch.Tensor":
        import torch

        tensor = torch.from_numpy(array)
        return (tensor.pin_memory() if self.is_queued else tensor).to(self.device, non_blocking=self.is_queued)


@dataclass(frozen=True, slots=True)
class _Pass:
    """A forward pass that was begun."""

    rows: list[int]  # its windows
    logits: "list[torch.Tensor]"  # (B, S, C) a field, on the CPU; not to be read before `done`
    done: "torch.cuda.Event | None" = None

    def wait(self) -> list[NDArray[np.float32]]:
        """Its logits, once they are there."""
        if self.done is not None:
            self.done.synchronize()
        return [values.numpy() for values in self.logits]


def load_engine(
    folder: Path, manifest: Manifest, encoder: WindowEncoder, device: str = "auto", threads: int = 0
) -> Engine:
    """The engine for a device, its weights verified.

    Args:
        folder: The checkpoint.
        manifest: Its manifest.
        encoder: Shapes the inputs.
        device: `auto` (an NVIDIA or AMD GPU if torch can use one, else ONNX Runtime), `cpu` (ONNX Runtime), `torch`
            (torch on CPU in fp32, the reference), or a torch device such as `cuda`, `cuda:1`, `mps`.
        threads: Windows that ONNX Runtime runs at once; 0 means one a core.

    Raises:
        CheckpointError: The weights are damaged.
        UsageError: There is no such device, or it cannot compute.
    """
    device = resolve_device(device)
    if device == "cpu":
        verify(folder, manifest, (ONNX,))
        return OnnxEngine(folder / ONNX, encoder, threads)
    import torch

    where = find_device("cpu" if device == "torch" else device)
    model = load_model(folder, manifest)
    if where.type == "cuda":
        # Half precision is twice as fast there; on CPU it would only be slower.
        model = model.to(torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
        return TorchEngine(model, encoder, where, CUDA_BATCH_TOKENS)
    return TorchEngine(model, encoder, where)


def resolve_device(device: str) -> str:
    """The device that `auto` stands for here; any other name is kept."""
    if device != "auto":
        return device
    return "cuda" if _has_gpu() else "cpu"


def find_device(device: str) -> "torch.device":
    """The torch device of that name.

    Raises:
        UsageError: There is no such device, or it cannot compute.
    """
    import torch

    try:
        found = torch.device(device)
        torch.zeros(1, device=found).add(1).item()  # tensors can be had on `meta` too, but no numbers
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise UsageError(f"--device {device}: torch cannot compute on it here ({reason}); use auto or cpu") from error
    return found


def load_model(folder: Path, manifest: Manifest) -> "StanceModel":
    """The network with its verified weights, in fp32 on CPU.

    Raises:
        CheckpointError: The weights are damaged or do not fit.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    from stanceline.model import StanceModel

    verify(folder, manifest, (ENCODER_CONFIG, ENCODER_WEIGHTS, HEADS_WEIGHTS))
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    model = StanceModel(AutoModel.from_config(config), manifest.scheme, manifest.model)
    weights = {f"encoder.{name}": tensor for name, tensor in load_file(folder / ENCODER_WEIGHTS).items()}
    weights.update(load_file(folder / HEADS_WEIGHTS))
    try:
        # strict: a weight that is missing would otherwise stay random.
        model.load_state_dict({name: tensor.to(torch.float32) for name, tensor in weights.items()}, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{folder}: weights do not fit the model: {' '.join(str(error).split())}") from error
    return model.float().eval()


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_gpu() -> bool:
    """Whether torch can use a GPU here, with CUDA or ROCm; it is imported, which takes seconds, only if it may."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return False
    if os.name == "posix":
        about = Path(found.origin).with_name("version.py")
        build = about.read_text(encoding="utf-8") if about.exists() else ""
        if not any(_may_use(kind, build) for kind in _DRIVERS):
            return False
    import torch

    return bool(torch.cuda.is_available())


def _may_use(kind: str, build: str) -> bool:
    """Whether a driver of the kind is there, and torch, as its `version.py` says, is not built without it."""
    is_left_out = re.search(rf"^{kind}\b.*= *None *$", build, re.MULTILINE)
    return not is_left_out and any(Path(file).exists() for file in _DRIVERS[kind])
