"""The network: an encoder, a pooled vector a sentence, and a head a field."""

from typing import Any

import torch
from torch import Tensor, nn

from stanceline.config import ModelConfig
from stanceline.errors import ConfigError
from stanceline.labels import LabelScheme

# Families beside RoBERTa's own that number positions from `pad_token_id + 1`.
_OFFSET_POSITIONS = ("camembert", "data2vec-text", "esm", "ibert", "longformer", "luke", "mpnet", "xmod")


class StanceModel(nn.Module):
    """Scores every sentence of a window for every field in one pass.

    Args:
        encoder: A transformers encoder that returns `last_hidden_state`.
        scheme: The fields, one head each.
        config: Pooling and dropout.
    """

    def __init__(self, encoder: nn.Module, scheme: LabelScheme, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.field_names = tuple(field.name for field in scheme.fields)
        self.pooling = config.pooling
        hidden = int(encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.ModuleDict(
            {field.name: _head(hidden, len(field.labels), config.dropout) for field in scheme.fields}
        )
        if self.pooling == "attention":
            self.queries = nn.ParameterDict(
                {field.name: nn.Parameter(torch.randn(hidden) * 0.02) for field in scheme.fields}
            )

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None, spans: Tensor) -> tuple[Tensor, ...]:
        """Logits of each field, in the order of the scheme.

        Args:
            input_ids: (B, T) token ids.
            attention_mask: (B, T), 1 where there is a token; None where no window is padded.
            spans: (B, S, 2) token ranges of the sentences; (0, 0) is padding and gets meaningless scores.

        Returns:
            For each field (B, S, C), C its number of labels.
        """
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # (B, T, H)
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)  # (T,)
        inside = (positions >= spans[..., :1]) & (positions < spans[..., 1:])  # (B, S, T)
        if self.pooling == "mean":
            weights = inside.to(states.dtype)
            pooled = weights @ states / weights.sum(-1, keepdim=True).clamp(min=1)  # (B, S, H)
            pooled = self.dropout(pooled)
            return tuple(self.heads[name](pooled) for name in self.field_names)
        return tuple(self.heads[name](self.dropout(self._attend(states, inside, name))) for name in self.field_names)

    def _attend(self, states: Tensor, inside: Tensor, name: str) -> Tensor:
        scores = (states @ self.queries[name]).unsqueeze(1)  # (B, 1, T)
        weights = scores.masked_fill(~inside, torch.finfo(scores.dtype).min).softmax(-1)  # (B, S, T)
        pooled: Tensor = weights @ states  # (B, S, H)
        return pooled


def _head(hidden: int, labels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, labels))


def max_positions(encoder_config: Any) -> int:
    """Tokens that an encoder can read at once.

    RoBERTa and its kin number positions from `pad_token_id + 1`, so that many of their embeddings are never used.

    Raises:
        ConfigError: The configuration is not that of an encoder.
    """
    positions = getattr(encoder_config, "max_position_embeddings", None)
    if positions is None or getattr(encoder_config, "hidden_size", None) is None:
        raise ConfigError(f"{encoder_config.model_type!r} is not an encoder: it has no positions or no hidden size")
    model_type = encoder_config.model_type
    is_offset = "roberta" in model_type or model_type in _OFFSET_POSITIONS
    offset = encoder_config.pad_token_id + 1 if is_offset else 0
    return int(positions) - offset
