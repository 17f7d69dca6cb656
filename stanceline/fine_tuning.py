"""The training loop: a network and labelled articles in, the best weights out; can be interrupted anywhere."""

import json
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from stanceline.config import LossConfig, OptimizerConfig, Recipe
from stanceline.encoding import WindowEncoder, pool_pieces
from stanceline.errors import LabelError
from stanceline.labels import LabelScheme
from stanceline.metrics import f1_macro
from stanceline.model import StanceModel
from stanceline.ranks import Ranks
from stanceline.run_state import BEST, Interruption, load_state, save_state, save_tensors
from stanceline.runtime import Engine, TorchEngine
from stanceline.training_data import (
    IGNORED,
    TrainingArticle,
    TrainingBatch,
    Unit,
    collate,
    epoch_steps,
    sentences_in,
    windows_of,
)

_STATE_SECONDS = 120  # between two states of a running training


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands; handed to the caller after every step."""

    epoch: int
    done: int  # sentences trained on
    total: int  # sentences that will be trained on
    loss: float  # mean over the step
    scores: Mapping[str, float] | None  # f1_macro a field and `mean`, after an evaluation


@dataclass(slots=True)
class _State:
    """What has to survive an interruption beside weights and optimizer."""

    epoch: int = 0
    step: int = 0  # within the epoch
    best: float = -1.0
    stale: int = 0  # evaluations without gain
    done: int = 0


class FineTuning:
    """One run of training. `fit` trains the model in place and leaves the best weights in it.

    Under `torchrun` the windows of every step are shared out over the processes and their gradients summed; only the
    main process evaluates and writes.

    Args:
        model: The network to train.
        encoder: Its tokenizer and window shape.
        scheme: Its fields.
        recipe: Everything that may be chosen.
        device: Where to train.
        folder: For the states of the run, its log and the best weights.
        ranks: The processes of the training; None is this one alone.
    """

    def __init__(
        self,
        model: StanceModel,
        encoder: WindowEncoder,
        scheme: LabelScheme,
        recipe: Recipe,
        *,
        device: torch.device,
        folder: Path,
        ranks: Ranks | None = None,
    ) -> None:
        self.model = model.to(device)
        self.encoder = encoder
        self.scheme = scheme
        self.recipe = recipe
        self.device = device
        self.folder = folder
        self.ranks = Ranks(device) if ranks is None else ranks
        self.optimizer = build_optimizer(model, recipe.optimizer)
        self.state = _State()
        self.log = _Log(folder / "log.jsonl", self.ranks.is_main)

    def fit(
        self,
        train: Sequence[TrainingArticle],
        dev: Sequence[TrainingArticle],
        *,
        resume: bool = False,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> dict[str, float]:
        """Trains, and returns the best dev scores: f1_macro a field, and `mean`.

        Args:
            train: What to learn from.
            dev: What to choose the best step by.
            resume: Go on from the state in the folder; from the beginning where there is none yet.
            report: Called after every step.

        Raises:
            KeyboardInterrupt: It was interrupted; the state is saved.
            OutputError: A state cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if resume and (place := load_state(self.folder, self.model, self.optimizer)) is not None:
            self.state = _State(**place)
        self.log.begin(self.state.done)
        class_weights = [weights.to(self.device) for weights in count_weights(train, self.scheme, self.recipe.loss)]
        with Interruption() as interruption:
            for epoch in range(self.state.epoch, math.ceil(self.recipe.epochs)):
                if not self._is_exhausted():
                    self._epoch(epoch, train, dev, class_weights, interruption, report)
                    self.state.step = 0
        return self._restore_best(dev)

    def _epoch(
        self,
        epoch: int,
        train: Sequence[TrainingArticle],
        dev: Sequence[TrainingArticle],
        class_weights: Sequence[Tensor],
        interruption: Interruption,
        report: Callable[[Progress], None],
    ) -> None:
        """The steps of one epoch that are still to be done."""
        steps = epoch_steps(train, self.encoder, self.recipe, epoch)
        per_epoch = sum(map(sentences_in, steps))
        total = round(per_epoch * self.recipe.epochs)
        evaluations = self.recipe.evaluations_per_epoch
        marks = {len(steps) * (k + 1) // evaluations for k in range(evaluations)}
        consumed = sum(map(sentences_in, steps[: self.state.step]))
        last_saved = time.monotonic()
        for number in range(self.state.step, len(steps)):
            progress = (epoch + consumed / per_epoch) / self.recipe.epochs
            if progress >= 1 or self._is_exhausted():
                break
            loss, interrupted = self._step(
                steps[number], train, class_weights, progress, f"{epoch}/{number}", interruption
            )
            consumed += sentences_in(steps[number])
            self.state.epoch, self.state.step, self.state.done = epoch, number + 1, epoch * per_epoch + consumed
            self.log.losses.append(loss)
            finished = (epoch + consumed / per_epoch) / self.recipe.epochs >= 1
            scores = self._evaluate(dev) if number + 1 in marks or finished else None
            report(Progress(epoch, self.state.done, total, loss, scores))
            if scores is not None or interrupted or time.monotonic() - last_saved > _STATE_SECONDS:
                self._save_state()
                last_saved = time.monotonic()
            if interrupted:
                raise KeyboardInterrupt

    def _is_exhausted(self) -> bool:
        """Whether as many evaluations as the patience allows were without gain."""
        return bool(self.recipe.patience) and self.state.stale >= self.recipe.patience

    def _step(
        self,
        passes: Sequence[Sequence[Unit]],
        articles: Sequence[TrainingArticle],
        class_weights: Sequence[Tensor],
        progress: float,
        name: str,
        interruption: Interruption,
    ) -> tuple[float, bool]:
        """One step of the optimizer: its loss, and whether any process was asked to stop."""
        # Seeded by its name, so that a resumed run draws the dropout that it would have drawn.
        rank = f"/{self.ranks.rank}" if self.ranks.rank else ""
        torch.manual_seed(zlib.crc32(f"{self.recipe.seed}/{name}{rank}".encode()))
        factor = schedule(progress, self.recipe.optimizer.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        self.model.train()
        count = sentences_in(passes)
        total = 0.0
        for units in self.ranks.share(passes):
            batch = collate(units, articles, self.encoder)
            inputs = [
                torch.from_numpy(array).to(self.device)
                for array in (batch.inputs.input_ids, batch.inputs.attention_mask, batch.inputs.spans)
            ]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                outputs = self.model(*inputs)
            loss = batch_loss(outputs, batch, class_weights, self.recipe.loss) / count
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        self.ranks.sum_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        # All processes stop after the same step, or the others would wait for ever for the one that stopped.
        sums = self.ranks.sum(torch.tensor([total, float(interruption.asked)], device=self.device))
        return float(sums[0]), bool(sums[1])

    def _evaluate(self, dev: Sequence[TrainingArticle]) -> dict[str, float]:
        scores = self._scores(dev)
        if scores["mean"] > self.state.best:
            self.state.best, self.state.stale = scores["mean"], 0
            if self.ranks.is_main:
                save_tensors(self.model.state_dict(), self.folder / BEST)
        else:
            self.state.stale += 1
        self.log.write(self.state.epoch, self.state.done, scores)
        return scores

    def _scores(self, dev: Sequence[TrainingArticle]) -> dict[str, float]:
        engine = TorchEngine(self.model, self.encoder, self.device)
        main = self.ranks.is_main
        return self.ranks.from_main(evaluate(engine, self.encoder, self.scheme, dev) if main else None)

    def _restore_best(self, dev: Sequence[TrainingArticle]) -> dict[str, float]:
        if self.ranks.is_main:
            self.model.load_state_dict(load_file(self.folder / BEST))
        return self._scores(dev)

    def _save_state(self) -> None:
        if self.ranks.is_main:
            save_state(self.folder, self.model, self.optimizer, asdict(self.state))


class _Log:
    """`log.jsonl` of a run: a line an evaluation, with the mean loss since the one before."""

    def __init__(self, path: Path, is_written: bool) -> None:
        self.path = path
        self.is_written = is_written
        self.losses: list[float] = []
        self.started = time.monotonic()

    def begin(self, done: int) -> None:
        """Keeps what was logged up to the state that the run goes on from."""
        if not self.is_written:
            return
        text = self.path.read_text(encoding="utf-8") if done and self.path.exists() else ""
        # What stands behind the last line end was being written when the run was killed.
        kept = [line for line in text.split("\n")[:-1] if json.loads(line)["done"] <= done]
        self.path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def write(self, epoch: int, done: int, scores: Mapping[str, float]) -> None:
        """Adds an evaluation."""
        loss = sum(self.losses) / len(self.losses)
        self.losses.clear()
        seconds = round(time.monotonic() - self.started, 1)
        if self.is_written:
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps({"epoch": epoch, "done": done, "loss": loss, "seconds": seconds, **scores}) + "\n")


def schedule(progress: float, warmup: float) -> float:
    """Factor of the learning rate at a fraction of the training: linear up, then linear down to 2 %."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return max(0.02, (1 - progress) / (1 - warmup))


def build_optimizer(model: StanceModel, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW with a learning rate a layer; biases and norms are not decayed."""
    layers = int(model.encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    groups = []
    for name, parameter in model.named_parameters():
        if name.startswith("encoder."):
            depth = _depth(name, layers)
            rate = config.learning_rate * config.layer_decay ** (layers - depth)
        else:
            rate = config.head_learning_rate
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.append({"params": [parameter], "lr": rate, "peak": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def _depth(name: str, layers: int) -> int:
    """0 for the embeddings, n for the n-th layer, the top for what lies above the layers."""
    parts = name.split(".")
    for part, following in pairwise(parts):
        if part in ("layer", "layers") and following.isdigit():
            return int(following) + 1
    return 0 if "embeddings" in parts else layers


def count_weights(articles: Sequence[TrainingArticle], scheme: LabelScheme, config: LossConfig) -> list[Tensor]:
    """(C,) weight of each class a field: (mean count / count) ** power; 1 for a class that does not occur."""
    gold = np.concatenate([article.gold for article in articles])
    weights = []
    for column, field in enumerate(scheme.fields):
        labels = gold[:, column]
        counts = np.bincount(labels[labels != IGNORED], minlength=len(field.labels)).astype(float)
        mean = counts.sum() / max(1, (counts > 0).sum())
        values = np.where(counts > 0, (mean / np.maximum(counts, 1)) ** config.class_weight_power, 1.0)
        weights.append(torch.tensor(values, dtype=torch.float32))
    return weights


def batch_loss(
    outputs: Sequence[Tensor], batch: TrainingBatch, class_weights: Sequence[Tensor], config: LossConfig
) -> Tensor:
    """Sum over the sentences and fields of a batch of the weighted cross-entropy, plus that to a teacher."""
    device = outputs[0].device
    gold = torch.from_numpy(batch.gold).to(device)  # (B, S, F)
    weights = torch.from_numpy(batch.weights).to(device)  # (B, S)
    soft = torch.from_numpy(batch.soft).to(device) if batch.soft is not None else None
    total = outputs[0].new_zeros((), dtype=torch.float32)
    start = 0
    for column, logits in enumerate(outputs):
        classes = logits.shape[-1]
        losses = functional.cross_entropy(
            logits.float().flatten(0, 1),
            gold[..., column].flatten(),
            weight=class_weights[column],
            ignore_index=IGNORED,
            label_smoothing=config.label_smoothing,
            reduction="none",
        )
        total = total + (losses * weights.flatten()).sum()
        if soft is not None and config.distillation:
            teacher = soft[..., start : start + classes]  # all 0 where there is no teacher
            total = total - config.distillation * (teacher * logits.float().log_softmax(-1)).sum()
        start += classes
    return total


def score_articles(
    engine: Engine, encoder: WindowEncoder, articles: Sequence[TrainingArticle]
) -> list[NDArray[np.float64]]:
    """(N, C) uncalibrated logits a field: all sentences in the order of the articles, each read in its article."""
    windows = [windows_of(article, encoder) for article in articles]
    results = iter(engine.run([window for group in windows for window in group]))
    pooled = []
    for article, group in zip(articles, windows, strict=True):
        logits = [next(results) for _ in group]
        pooled.append(
            [pool_pieces(group, [r[f] for r in logits], len(article.examples)) for f in range(len(logits[0]))]
        )
    return [np.concatenate([article[f] for article in pooled]) for f in range(len(pooled[0]))]


def evaluate(
    engine: Engine, encoder: WindowEncoder, scheme: LabelScheme, articles: Sequence[TrainingArticle]
) -> dict[str, float]:
    """f1_macro of each field that has gold labels, and their `mean`."""
    logits = score_articles(engine, encoder, articles)
    gold = np.concatenate([article.gold for article in articles])
    scores = {}
    for column, field in enumerate(scheme.fields):
        labelled = gold[:, column] != IGNORED
        if labelled.any():
            names = [field.labels[index] for index in gold[labelled, column]]
            predicted = [field.labels[index] for index in logits[column][labelled].argmax(-1)]
            scores[field.name] = f1_macro(names, predicted, field.labels)
    if not scores:
        raise LabelError("the dev labels have none of the fields that are trained; label some of them")
    scores["mean"] = sum(scores.values()) / len(scores)
    return scores
