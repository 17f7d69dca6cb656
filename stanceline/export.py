"""The network as one int8 ONNX file for the CPU."""

import tempfile
import warnings
from pathlib import Path

import torch

from stanceline.labels import LabelScheme
from stanceline.model import StanceModel

OPSET = 17


def export_onnx(model: StanceModel, scheme: LabelScheme, path: Path) -> None:
    """Writes the network in fp32: `input_ids, attention_mask, spans` in, a tensor of logits a field out."""
    model = model.eval().float().cpu()
    input_ids = torch.ones(2, 16, dtype=torch.long)
    spans = torch.tensor([[[1, 4], [5, 9]], [[1, 4], [0, 0]]])
    names = [field.name for field in scheme.fields]
    with warnings.catch_warnings():
        # The exporter by tracing is announced as legacy; it needs no further package and gives the smaller graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (input_ids, torch.ones_like(input_ids), spans),
            str(path),
            input_names=["input_ids", "attention_mask", "spans"],
            output_names=names,
            dynamic_axes={
                "input_ids": {0: "windows", 1: "tokens"},
                "attention_mask": {0: "windows", 1: "tokens"},
                "spans": {0: "windows", 1: "sentences"},
                **{name: {0: "windows", 1: "sentences"} for name in names},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def export_int8(model: StanceModel, scheme: LabelScheme, path: Path) -> None:
    """Writes the network with int8 weights, a scale a channel, and activations quantized as they come.

    Weights keep to 7 bits (`reduce_range`): on processors with AVX2 and without VNNI, products of two 8-bit numbers
    can saturate.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        full, prepared = Path(folder) / "full.onnx", Path(folder) / "prepared.onnx"
        export_onnx(model, scheme, full)
        quant_pre_process(str(full), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(str(prepared), str(path), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
