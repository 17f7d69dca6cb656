"""TensorBoard's event files of a training, beside the JSON lines that every training writes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stanceline.errors import UsageError

if TYPE_CHECKING:
    from stanceline.fine_tuning import Progress


class TensorBoardLog:
    """Writes loss and scores against the number of sentences trained on.

    Args:
        folder: For the event files; `tensorboard --logdir` reads it.

    Raises:
        UsageError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise UsageError("--tensorboard needs tensorboardX: pip install 'stanceline[tensorboard]'") from error
        self.writer: Any = SummaryWriter(str(folder))

    def report(self, progress: "Progress") -> None:
        """Takes one step's progress."""
        self.writer.add_scalar("train/loss", progress.loss, progress.done)
        for name, score in (progress.scores or {}).items():
            self.writer.add_scalar(f"dev/f1_macro/{name}", score, progress.done)

    def close(self) -> None:
        """Writes what is still to be written."""
        self.writer.close()
