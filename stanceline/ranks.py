"""The processes that share one training, as `torchrun` or `accelerate launch` starts them."""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import nn

T = TypeVar("T")


class Ranks:
    """Who of how many this process is. Without a launcher it is alone, and nothing is ever sent.

    Args:
        device: Where this process computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = 0
        self.device = device
        if self.count > 1:
            from accelerate import PartialState

            state = PartialState(cpu=device.type == "cpu")
            self.rank = int(state.process_index)
            self.device = state.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that evaluates and writes."""
        return self.rank == 0

    def share(self, passes: Sequence[Sequence[T]]) -> list[Sequence[T]]:
        """This process's part of the forward passes of a step: an even share of each."""
        if self.count == 1:
            return list(passes)
        return [part for units in passes if (part := units[self.rank :: self.count])]

    def sum_gradients(self, model: nn.Module) -> None:
        """Adds up the gradients over the processes; one that no process has stays away."""
        if self.count == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        present = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        used = self.sum(present).tolist()
        parameters = [p for p, uses in zip(parameters, used, strict=True) if uses]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
        parts = torch.split(self.sum(flat), [p.numel() for p in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter).clone()

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over the processes, the same in all of them."""
        if self.count == 1:
            return values
        from accelerate.utils import reduce

        total: torch.Tensor = reduce(values, reduction="sum")
        return total

    def from_main(self, value: T | None) -> T:
        """What the main process has, in all of them."""
        if self.count > 1:
            from accelerate.utils import broadcast_object_list

            box: list[Any] = [value]
            broadcast_object_list(box)
            value = box[0]
        return value  # type: ignore[return-value]
