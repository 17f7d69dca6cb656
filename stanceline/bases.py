"""What a training starts from: a Stanceline checkpoint, or any Hugging Face encoder."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoConfig, AutoModel, AutoTokenizer

from stanceline import checkpoint
from stanceline.config import ModelConfig, to_dict
from stanceline.encoding import SpecialTokens, WindowEncoder
from stanceline.errors import CheckpointError, ConfigError
from stanceline.labels import LabelScheme
from stanceline.model import StanceModel, max_positions
from stanceline.runtime import load_model

# What the configurations of BERT and of ModernBERT call it.
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")


@dataclass(frozen=True, slots=True)
class Base:
    """A network ready to be trained, with everything that its checkpoint will need."""

    model: StanceModel
    encoder: WindowEncoder
    tokenizer: Any  # the transformers tokenizer, to be saved
    config: ModelConfig
    scheme: LabelScheme
    description: str
    trained_fields: frozenset[str] = frozenset()  # whose heads are not new
    calibration: checkpoint.Calibration = field(default_factory=partial(checkpoint.Calibration, {}, {}))  # of those


def load_base(base: str | Path, scheme: LabelScheme, config: ModelConfig) -> Base:
    """A network with a head for every field of `scheme`.

    Heads that a Stanceline checkpoint has already are taken over, and its window shape is kept; the other heads are
    new and random, to be trained.

    Args:
        base: A checkpoint folder, an encoder folder, or the hub name of either.
        scheme: The fields wanted; those of the checkpoint come first.
        config: Shape of the model, for a plain encoder.

    Raises:
        CheckpointError: It cannot be loaded.
        ConfigError: It is not an encoder, or has no fast tokenizer or no special tokens.
    """
    folder = checkpoint.find_base(base)
    if folder is not None:
        return _from_checkpoint(folder, scheme, config)
    return _from_encoder(str(base), scheme, config)


def _from_checkpoint(folder: Path, scheme: LabelScheme, config: ModelConfig) -> Base:
    manifest = checkpoint.read_manifest(folder)
    default, own = to_dict(ModelConfig()), to_dict(manifest.model)
    checkpoint.verify(folder, manifest, (checkpoint.TOKENIZER,))
    for name, value in to_dict(config).items():
        # The window shape belongs to the weights; dropout is only a matter of training.
        if name not in ("dropout", *_ATTENTION_DROPOUT) and value not in (default[name], own[name]):
            raise ConfigError(f"model.{name} is {value!r}, but {manifest.reference} was made with {own[name]!r}")
    config = replace(manifest.model, dropout=config.dropout)
    merged = replace(
        manifest.scheme.with_targets(scheme.targets), sentiment=manifest.scheme.sentiment or scheme.sentiment
    )
    old = load_model(folder, manifest)
    model = StanceModel(old.encoder, merged, config)
    state = {name: tensor for name, tensor in old.state_dict().items() if not name.startswith("encoder.")}
    fresh = model.state_dict()
    model.load_state_dict({**fresh, **state})
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = _window_encoder(tokenizer, config, max_positions(old.encoder.config))
    return Base(
        model,
        encoder,
        tokenizer,
        config,
        merged,
        manifest.reference,
        trained_fields=frozenset(f.name for f in manifest.scheme.fields),
        calibration=manifest.calibration,
    )


def _from_encoder(base: str, scheme: LabelScheme, config: ModelConfig) -> Base:
    try:
        encoder_config = AutoConfig.from_pretrained(base)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{base}: neither a checkpoint nor an encoder that transformers can load: {first}"
        ) from error
    if not _is_encoder(encoder_config):
        raise ConfigError(
            f"{base}: {encoder_config.model_type!r} is not a text encoder; choose one such as BERT, RoBERTa, DeBERTa"
        )
    positions = max_positions(encoder_config)
    for name in _ATTENTION_DROPOUT:
        if hasattr(encoder_config, name):
            setattr(encoder_config, name, config.attention_dropout)
    try:
        network, loading = AutoModel.from_pretrained(base, config=encoder_config, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{base}: cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    # The pooler is of no use here and often missing; any other weight that is missing was drawn at random.
    missing = sorted(name for name in loading["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise CheckpointError(f"{base}: its weights lack {len(missing)} tensors, such as {missing[0]}; get it again")
    encoder = _window_encoder(tokenizer, config, positions)
    return Base(
        StanceModel(network.float(), scheme, config), encoder, tokenizer, encoder.config, scheme, Path(base).name
    )


def _is_encoder(config: Any) -> bool:
    """Whether it is a model that reads in both directions: of the kinds that masked-language modelling is for."""
    decodes = getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", False)
    return type(config) in MODEL_FOR_MASKED_LM_MAPPING and not decodes


def _window_encoder(tokenizer: Any, config: ModelConfig, positions: int) -> WindowEncoder:
    name = type(tokenizer).__name__
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(f"{name} is not a fast tokenizer; convert it to tokenizer.json first")
    ids = {"cls": tokenizer.cls_token_id, "sep": tokenizer.sep_token_id, "pad": tokenizer.pad_token_id}
    for key, value in ids.items():
        if value is None:
            raise ConfigError(f"{name} has no {key} token; choose an encoder that was trained with one")
    if config.max_length > positions:
        config = replace(config, max_length=positions)
    return WindowEncoder(tokenizer.backend_tokenizer, SpecialTokens(**ids), config)
