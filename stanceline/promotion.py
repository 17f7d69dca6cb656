"""Which checkpoint is the default of this user, which others there are, and how one becomes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stanceline import checkpoint
from stanceline.errors import CheckpointError, OutputError
from stanceline.gate import Gate, read_gate, run_gate
from stanceline.records import Example
from stanceline.training_labels import seed_parts


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint that was found."""

    folder: Path
    manifest: checkpoint.Manifest
    origin: str  # shipped, promoted, or found
    is_default: bool  # of `classify`, where no --model is given

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())


def models(folders: Sequence[Path] = ()) -> list[Model]:
    """The shipped checkpoint, the promoted one, and those in some folders or right below them.

    Raises:
        CheckpointError: One of them is damaged.
    """
    promoted, shipped = checkpoint.promoted_folder(), checkpoint.shipped_folder("default")
    default = (promoted or shipped).resolve()
    found: dict[Path, str] = {}
    if promoted:
        found[promoted.resolve()] = "promoted"
    if (shipped / checkpoint.MANIFEST).exists():
        found.setdefault(shipped.resolve(), "shipped")
    for folder in folders:
        for path in (folder, *sorted(folder.iterdir() if folder.is_dir() else ())):
            # What is still being written, or was given up, is no checkpoint yet.
            if (path / checkpoint.MANIFEST).exists() and path.suffix != ".partial":
                found.setdefault(path.resolve(), "found")
    return [
        Model(folder, checkpoint.read_manifest(folder), origin, folder == default) for folder, origin in found.items()
    ]


def compare_with_default(new: Path, labels: Sequence[Example] = (), *, device: str = "auto") -> Gate | None:
    """How a checkpoint compares with the one that `classify` uses now; None where that is itself, or there is none.

    What its training found against the same one is taken over; otherwise both are run on the seeds' test split.

    Args:
        new: The checkpoint.
        labels: Labels that neither was trained on, for a comparison of their own.
        device: As in `StanceClassifier.from_pretrained`.
    """
    manifest = checkpoint.read_manifest(new)
    try:
        old = checkpoint.find_checkpoint()
    except CheckpointError:  # the pointer leads nowhere: promoting another is the way out
        old = checkpoint.shipped_folder("default")
    if not (old / checkpoint.MANIFEST).exists():
        return None
    reference = checkpoint.read_manifest(old).reference
    if reference == manifest.reference:
        return None
    recorded = read_gate(new)
    if not labels and recorded and (recorded.old, recorded.new) == (reference, manifest.reference):
        return recorded
    return run_gate(old, new, labels, seed_parts(manifest.scheme)["test"], device=device)


def promote(new: Path) -> Path:
    """Makes a checkpoint the default of this user: a pointer in the user's data folder, which is returned.

    Raises:
        CheckpointError: It is none, or damaged.
        OutputError: The pointer cannot be written.
    """
    manifest = checkpoint.read_manifest(new)
    checkpoint.verify(new, manifest, tuple(manifest.files))
    pointer = checkpoint.pointer_file()
    partial = pointer.with_name(pointer.name + ".partial")
    try:
        pointer.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(f"{new.resolve()}\n", encoding="utf-8")
        partial.replace(pointer)
    except OSError as error:
        raise OutputError(f"{pointer}: cannot be written: {error.strerror}") from error
    return pointer


def promote_shipped() -> None:
    """Makes the shipped checkpoint the default again."""
    checkpoint.pointer_file().unlink(missing_ok=True)
