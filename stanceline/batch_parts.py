"""A run's parts on disk: what is committed survives a kill, a full disk and a power cut.

OUT.partial/
  manifest              what the run is: inputs, checkpoint, options
  000000.rows           rows of a part as JSONL, in the order of the input
  000000.rejected       inputs of the same stretch that could not be labelled
  000000.done           the commit: written last, renamed into place; a part without it does not count
  joined.rows, .rejected, .done   everything put together, waiting for its names

None of these names has a suffix that a reader of articles knows: the folder may lie among the inputs.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stanceline.errors import OutputError

Row = Mapping[str, Any]
MANIFEST = "manifest"
_JOINED = "joined.done"
_ENCODER = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Position:
    """How far the input has been worked through: all before `item`, and the first `blocks` blocks of it."""

    item: int = 0
    blocks: int = 0
    article_id: str = ""  # of that item, to recognize it again


@dataclass(frozen=True, slots=True)
class Committed:
    """What the parts hold together."""

    parts: int = 0
    rows: int = 0
    rejected: int = 0
    position: Position = Position()


class Parts:
    """The folder of parts of one run.

    Args:
        folder: `OUT.partial`.
        committed: What it holds already.
    """

    def __init__(self, folder: Path, committed: Committed) -> None:
        self.folder = folder
        self.committed = committed

    @staticmethod
    def is_in_use(folder: Path) -> bool:
        """Whether an interrupted run has left something there."""
        return (folder / f"{0:06}.done").exists()

    @classmethod
    def create(cls, folder: Path, manifest: Mapping[str, Any]) -> "Parts":
        """A new folder; that of an earlier run is removed.

        Raises:
            OutputError: It cannot be written, or something else is there.
        """
        try:
            if folder.exists():
                known = (folder / MANIFEST).exists()
                if not known and any(not path.name.startswith(MANIFEST) for path in folder.iterdir()):
                    raise OutputError(f"{folder}: is in the way, and no folder of an interrupted run; move it away")
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            _write_durably(folder / MANIFEST, [encode_row(manifest)])
        except OSError as error:
            raise _unwritable(folder, error) from error
        return cls(folder, Committed())

    @classmethod
    def resume(cls, folder: Path, manifest: Mapping[str, Any]) -> "Parts":
        """The folder of an interrupted run, without what was not committed.

        Raises:
            OutputError: There is none, or it is of another run.
        """
        path = folder / MANIFEST
        if not path.exists():
            raise OutputError(f"{folder}: there is no interrupted run to go on with; start without --resume")
        recorded = _read_json(path)
        for key, value in manifest.items():
            if recorded.get(key) != value:
                was, now = _short(recorded.get(key)), _short(value)
                raise OutputError(
                    f"{folder}: was started with {key} {was}, not {now}; resume with that, or start anew with --force"
                )
        parts, rows, rejected, position = 0, 0, 0, Position()
        while (done := folder / f"{parts:06}.done").exists():
            record = _read_json(done)
            rows += record["rows"]
            rejected += record["rejected"]
            position = Position(**record["position"])
            parts += 1
        return cls(folder, Committed(parts, rows, rejected, position))

    def commit(self, rows: Sequence[bytes], rejected: Sequence[bytes], position: Position) -> None:
        """Adds a part, given as lines of JSONL; after return it survives whatever happens.

        Raises:
            OutputError: It cannot be written; the parts before it stay good.
        """
        stem = f"{self.committed.parts:06}"
        record = {"rows": len(rows), "rejected": len(rejected), "position": asdict(position)}
        try:
            _write_durably(self.folder / f"{stem}.rows", rows)
            _write_durably(self.folder / f"{stem}.rejected", rejected)
            _sync_folder(self.folder)
            _write_durably(self.folder / f"{stem}.done", [encode_row(record)])
            _sync_folder(self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        self.committed = Committed(
            self.committed.parts + 1,
            self.committed.rows + len(rows),
            self.committed.rejected + len(rejected),
            position,
        )

    def files(self, kind: str) -> Iterator[Path]:
        """The files of the parts, in order; `kind` is `rows` or `rejected`."""
        for number in range(self.committed.parts):
            yield self.folder / f"{number:06}.{kind}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows, in order."""
        for path in self.files("rows"):
            with path.open(encoding="utf-8") as file:
                yield from map(json.loads, file)

    def concatenate(self, kind: str, path: Path) -> None:
        """Writes the files of all parts as one.

        Raises:
            OutputError: It cannot be written; the parts stay.
        """
        try:
            with path.open("wb") as file:
                for part in self.files(kind):
                    with part.open("rb") as source:
                        shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(path, error) from error

    def joined(self, kind: str) -> Path:
        """Where the whole of a kind is put together before it gets its name."""
        return self.folder / f"joined.{kind}"

    def mark_joined(self) -> None:
        """From now on only names have to be given.

        Raises:
            OutputError: The disk is full.
        """
        try:
            _write_durably(self.folder / _JOINED, [])
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    @property
    def is_joined(self) -> bool:
        """Whether everything is put together."""
        return (self.folder / _JOINED).exists()

    def release(self, kind: str, path: Path) -> None:
        """Gives the whole of a kind its name; a second time does nothing.

        Raises:
            OutputError: The name cannot be given; the parts stay.
        """
        try:
            if self.joined(kind).exists():
                self.joined(kind).replace(path)
        except OSError as error:
            raise _unwritable(path, error) from error

    def has_released(self, kind: str) -> bool:
        """Whether the whole of a kind has its name already."""
        return self.is_joined and not self.joined(kind).exists()

    def remove(self) -> None:
        """Removes the folder: the output has its name, the parts are no longer needed."""
        shutil.rmtree(self.folder, ignore_errors=True)


def encode_row(row: Row) -> bytes:
    """One line of JSONL. What is left of a file name that is not UTF-8 stays an escape."""
    return (_ENCODER.encode(row) + "\n").encode("utf-8", "backslashreplace")


def _write_durably(path: Path, lines: Sequence[bytes]) -> None:
    """Writes lines to a file that has its name only when it is whole and on the disk."""
    partial = path.with_name(path.name + ".tmp")
    with partial.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be read, {error}; start anew with --force") from error
    return data


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written: {error.strerror}; what was labelled is kept, go on with --resume")
