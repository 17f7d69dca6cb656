"""The network as one ONNX file for the CPU, for one window a run.

A window alone has no padding, so the graph knows no attention mask. The matrices of the first third of the layers are
stored in 16 bits and multiplied in 32; those of the other layers are int8, and so is what they are multiplied with.
Two things keep the labels those of fp32: channels with outliers are scaled down before they are quantized, and their
weights up (SmoothQuant, Xiao et al. 2023, equation 4); and where no layer norm has made the tokens alike, each is
divided by its largest channel, so that one loud token does not cost all others their resolution.
"""

import re
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from stanceline.encoding import Batch
from stanceline.labels import LabelScheme
from stanceline.model import StanceModel

OPSET = 17
# Share of the layers that are not quantized: an error there goes through all the others.
_EXACT_SHARE = 1 / 3
# How much of the range of an activation its weights take over: alpha of SmoothQuant.
_SMOOTHING = 0.6
_LAYER = re.compile(r"/layers?\.(\d+)/")
_LEAST_HALF = 4096  # numbers; smaller tensors stay in 32 bits
_TINY = 1e-6


class _Unpadded(nn.Module):
    """The network for windows without padding."""

    def __init__(self, model: StanceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, spans: Tensor) -> tuple[Tensor, ...]:
        logits: tuple[Tensor, ...] = self.model(input_ids, None, spans)
        return logits


def export_cpu(model: StanceModel, scheme: LabelScheme, windows: Sequence[Batch], path: Path) -> None:
    """Writes the network as the CPU runs it.

    Args:
        model: The network.
        scheme: Its fields.
        windows: Some real inputs, one window each, that show how large the activations become.
        path: The new file.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        full, prepared, quantized = (Path(folder) / f"{name}.onnx" for name in ("full", "prepared", "quantized"))
        export_onnx(model, scheme, full)
        quant_pre_process(str(full), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(str(prepared))
        chosen = _quantizable(graph.graph.node, _weights(graph))
        _smooth(graph, chosen, _largest(graph, {node.input[0] for node in chosen}, windows))
        _scale_rows(graph, chosen)
        onnx.save(graph, str(prepared))
        quantize_dynamic(
            str(prepared),
            str(quantized),
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=[node.name for node in chosen],
            weight_type=QuantType.QInt8,
            per_channel=True,
            # On processors with AVX2 and without VNNI, products of two 8-bit numbers can saturate: 7 bits can't.
            reduce_range=True,
        )
        _store_in_half(quantized, path)


def export_onnx(model: StanceModel, scheme: LabelScheme, path: Path) -> None:
    """Writes the network in fp32: `input_ids, spans` of unpadded windows in, a tensor of logits a field out."""
    model = model.eval().float().cpu()
    encoder: Any = model.encoder
    attention = encoder.config._attn_implementation
    input_ids = torch.ones(2, 16, dtype=torch.long)
    spans = torch.tensor([[[1, 4], [5, 9]], [[1, 4], [0, 0]]])
    names = [field.name for field in scheme.fields]
    encoder.set_attn_implementation("eager")  # the fewest nodes once it is traced
    try:
        with warnings.catch_warnings():
            # The exporter by tracing is announced as legacy; it needs no further package and gives the smaller graph.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Unpadded(model),
                (input_ids, spans),
                str(path),
                input_names=["input_ids", "spans"],
                output_names=names,
                dynamic_axes={
                    "input_ids": {0: "windows", 1: "tokens"},
                    "spans": {0: "windows", 1: "sentences"},
                    **{name: {0: "windows", 1: "sentences"} for name in names},
                },
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        encoder.set_attn_implementation(attention)


def _weights(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in model.graph.initializer}


def _quantizable(nodes: Iterable[Any], weights: dict[str, Any]) -> list[Any]:
    """Multiplications with a stored matrix, in the layers that are quantized."""
    layered = [
        (int(match[1]), node)
        for node in nodes
        if node.op_type == "MatMul" and node.input[1] in weights and (match := _LAYER.search(node.name))
    ]
    exact = round((max((layer for layer, _ in layered), default=0) + 1) * _EXACT_SHARE)
    return [node for layer, node in layered if layer >= exact]


def _largest(model: onnx.ModelProto, tensors: Iterable[str], windows: Sequence[Batch]) -> dict[str, NDArray[Any]]:
    """The largest absolute value of each channel of some tensors."""
    names = sorted(tensors)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    largest: dict[str, NDArray[Any]] = {}
    for window in windows if names else ():
        found = session.run(names, {"input_ids": window.input_ids, "spans": window.spans})
        for name, values in zip(names, found, strict=True):
            peaks = np.abs(values).reshape(-1, values.shape[-1]).max(0)
            largest[name] = np.maximum(largest[name], peaks) if name in largest else peaks
    return largest


def _smooth(model: onnx.ModelProto, chosen: Sequence[Any], largest: dict[str, NDArray[Any]]) -> None:
    """Divides the inputs of the chosen nodes channel by channel, and multiplies their weights by as much."""
    weights = _weights(model)
    arrays = {node.name: numpy_helper.to_array(weights[node.input[1]]) for node in chosen}
    for source, peaks in largest.items():
        nodes = [node for node in chosen if node.input[0] == source]
        rows = np.max([np.abs(arrays[node.name]).max(1) for node in nodes], axis=0)
        factors = np.maximum(peaks, _TINY) ** _SMOOTHING / np.maximum(rows, _TINY) ** (1 - _SMOOTHING)
        factors = (factors / np.exp(np.log(factors).mean())).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(1 / factors, f"{source}_factors"))
        smoothed = helper.make_node("Mul", [source, f"{source}_factors"], [f"{source}_smooth"], name=f"{source}_smooth")
        _insert_before(model, nodes[0], [smoothed])
        for node in nodes:
            matrix = numpy_helper.from_array(arrays[node.name] * factors[:, None], f"{node.name}_weight")
            model.graph.initializer.append(matrix)
            node.input[:] = [f"{source}_smooth", matrix.name]
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _scale_rows(model: onnx.ModelProto, chosen: Sequence[Any]) -> None:
    """Divides each token by its largest channel before a multiplication, and its result by as little after it."""
    model.graph.initializer.append(numpy_helper.from_array(np.float32(_TINY), "least_peak"))
    makers = {output: node for node in model.graph.node for output in node.output}
    scaled: set[str] = set()
    for node in chosen:
        source, target = node.input[0], node.output[0]
        if makers[makers[source].input[0]].op_type == "LayerNormalization":  # before the smoothing
            continue
        peak, row = f"{source}_peak", f"{source}_row"
        if source not in scaled:
            scaled.add(source)
            new = [
                helper.make_node("Abs", [source], [f"{source}_abs"], name=f"{source}_abs"),
                helper.make_node("ReduceMax", [f"{source}_abs"], [f"{source}_max"], f"{source}_max", axes=[-1]),
                helper.make_node("Max", [f"{source}_max", "least_peak"], [peak], name=peak),
                helper.make_node("Div", [source, peak], [row], name=row),
            ]
            _insert_before(model, node, new)
        node.input[0], node.output[0] = row, f"{target}_row"
        _insert_after(model, node, helper.make_node("Mul", [f"{target}_row", peak], [target], name=f"{target}_unrow"))


def _insert_before(model: onnx.ModelProto, node: Any, new: Sequence[Any]) -> None:
    for place, other in enumerate(new, _position(model, node)):
        model.graph.node.insert(place, other)


def _insert_after(model: onnx.ModelProto, node: Any, new: Any) -> None:
    model.graph.node.insert(_position(model, node) + 1, new)


def _position(model: onnx.ModelProto, node: Any) -> int:
    return next(place for place, other in enumerate(model.graph.node) if other.name == node.name)


def _store_in_half(source: Path, target: Path) -> None:
    """Stores what is left in 32 bits in 16; ONNX Runtime widens it once, when it loads the file."""
    model = onnx.load(str(source))
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= _LEAST_HALF:
            name, half = tensor.name, f"{tensor.name}_half"
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), half))
            model.graph.node.insert(0, helper.make_node("Cast", [half], [name], f"{name}_wide", to=TensorProto.FLOAT))
    onnx.save(model, str(target))
