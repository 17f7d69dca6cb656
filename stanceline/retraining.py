"""Retraining: an old checkpoint goes on with new labels, keeps what it knew, and has to prove itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stanceline.config import Recipe
from stanceline.fine_tuning import Progress
from stanceline.gate import Gate, run_gate
from stanceline.labels import LabelScheme
from stanceline.training import Trained, train
from stanceline.training_labels import LabelParts, seed_replay, seed_test


@dataclass(frozen=True, slots=True)
class Retrained:
    """The new checkpoint, and how it compares with the one that it started from."""

    trained: Trained
    gate: Gate


def retrain(
    parts: LabelParts,
    scheme: LabelScheme,
    *,
    old: Path,
    old_scheme: LabelScheme,
    output: Path,
    recipe: Recipe,
    device: str = "auto",
    resume: bool = False,
    notes: str = "",
    report: Callable[[Progress], None] = lambda progress: None,
) -> Retrained | None:
    """Trains a checkpoint on new labels, with replay and distillation as the recipe has them, and compares the two.

    The comparison stays in the new folder, where `promote` reads it.

    Args:
        parts: The new labels.
        scheme: The fields that they label; a target that `old` lacks gets a new head.
        old: The checkpoint to start from; it is not touched.
        old_scheme: Its fields.
        output: The new folder.
        recipe: Every setting.
        device: `auto`, `cpu`, or a torch device.
        resume: Go on with the interrupted run of the same output, recipe and labels.
        notes: Prose for the model card.
        report: Called after every optimizer step.

    Returns:
        None in the processes that only help the main one.

    Raises:
        StancelineError: As `stanceline.training.train`.
    """
    replay = seed_replay(old_scheme, parts, ratio=recipe.replay, seed=recipe.seed)
    trained = train(
        parts.train,
        parts.dev,
        scheme,
        base=old,
        output=output,
        recipe=recipe,
        replay=replay,
        device=device,
        resume=resume,
        notes=notes or _notes(recipe, len(replay.train)),
        report=report,
    )
    if trained is None:
        return None
    gate = run_gate(
        old,
        output,
        parts.held_out,
        seed_test(old_scheme, parts),
        held_out_is_dev=not parts.has_test,
    )
    gate.save(output)
    return Retrained(trained, gate)


def _notes(recipe: Recipe, replayed: int) -> str:
    return (
        f"Retrained on a user's labels; {replayed:,} sentences of the seeds were trained on again, and the starting "
        f"checkpoint was distilled with weight {recipe.loss.distillation:g}."
    )
