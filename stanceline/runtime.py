"""Engines behind one face: windows in, logits out. ONNX Runtime on CPU, torch elsewhere.

Nothing here imports torch unless a torch engine is asked for.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
            self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
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

    Args:
        model: The network, in evaluation mode.
        encoder: Shapes the inputs.
        device: Where it runs.
        batch_tokens: Padded tokens a forward pass at most.
    """

    def __init__(
        self, model: "StanceModel", encoder: WindowEncoder, device: "torch.device", batch_tokens: int = 8192
    ) -> None:
        self.model = model.to(device).eval()
        self.encoder = encoder
        self.device = device
        self.batch_tokens = batch_tokens

    def run(self, windows: Sequence[Window]) -> Iterator[Logits]:
        """See `Engine.run`."""
        import torch

        results: list[Logits | None] = [None] * len(windows)
        lengths = [len(window.token_ids) for window in windows]
        with torch.inference_mode():
            for rows in token_batches(range(len(windows)), lengths, self.batch_tokens):
                batch = self.encoder.collate([windows[row] for row in rows])
                outputs = self.model(
                    torch.from_numpy(batch.input_ids).to(self.device),
                    torch.from_numpy(batch.attention_mask).to(self.device),
                    torch.from_numpy(batch.spans).to(self.device),
                )
                arrays = [output.float().cpu().numpy() for output in outputs]
                for place, row in enumerate(rows):
                    count = len(windows[row].spans)
                    results[row] = tuple(array[place, :count] for array in arrays)
        yield from (result for result in results if result is not None)


def load_engine(
    folder: Path, manifest: Manifest, encoder: WindowEncoder, device: str = "auto", threads: int = 0
) -> Engine:
    """The engine for a device, its weights verified.

    Args:
        folder: The checkpoint.
        manifest: Its manifest.
        encoder: Shapes the inputs.
        device: `auto` (a GPU if torch sees one, else ONNX Runtime), `cpu` (ONNX Runtime), `torch` (torch on CPU in
            fp32, the reference), or a torch device such as `cuda`, `cuda:1`, `mps`.
        threads: Windows that ONNX Runtime runs at once; 0 means one a core.

    Raises:
        CheckpointError: The weights are damaged.
        UsageError: There is no such device.
    """
    device = resolve_device(device)
    if device == "cpu":
        verify(folder, manifest, (ONNX,))
        return OnnxEngine(folder / ONNX, encoder, threads)
    import torch

    try:
        torch_device = torch.device("cpu" if device == "torch" else device)
        torch.empty(1, device=torch_device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {device}: not to be had here: {str(error).splitlines()[0]}") from error
    model = load_model(folder, manifest)
    if torch_device.type == "cuda":
        # Half precision is twice as fast there; on CPU it would only be slower.
        model = model.to(torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    return TorchEngine(model, encoder, torch_device)


def resolve_device(device: str) -> str:
    """The device that `auto` stands for here; any other name is kept."""
    if device != "auto":
        return device
    return "cuda" if _has_cuda() else "cpu"


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


def _has_cuda() -> bool:
    """Whether a CUDA device is there; a machine without the driver's files is spared the import of torch."""
    if not Path("/proc/driver/nvidia").exists() and not Path("/dev/nvidia0").exists() and os.name == "posix":
        return False
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())
