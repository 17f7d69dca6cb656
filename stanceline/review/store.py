"""The answers on disk: JSONL that is only ever appended to, and is on the disk before an answer counts as given."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from stanceline.errors import LabelError, OutputError

if sys.platform != "win32":
    import fcntl

Record = dict[str, Any]


class AnswerStore:
    """Appends records to a file that other processes may append to at the same time, and reads theirs.

    Args:
        path: The labels file; it is made with the first answer.
        warn: Told what was repaired.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path = path
        self.warn = warn
        self.offset = 0  # bytes of whole lines that were read
        self.line = 0

    def open(self) -> list[Record]:
        """Looks for what would stop the first answer from being kept, mends a torn end, and reads what is there.

        Raises:
            OutputError: The folder isn't there or the file cannot be written.
            LabelError: A line is not a record.
        """
        folder = self.path.parent
        if self.path.is_dir() or not folder.is_dir():
            reason = "is a folder" if self.path.is_dir() else f"there is no folder {folder}"
            raise OutputError(f"{self.path}: answers cannot be kept there: {reason}; choose another --labels")
        if not os.access(self.path if self.path.exists() else folder, os.W_OK):
            raise OutputError(f"{self.path}: answers cannot be kept there: no permission; choose another --labels")
        if not self.path.exists():
            return []
        with self.path.open("r+b", buffering=0) as file, _locked(file.fileno()):
            self._mend(file)
            return self._read_from(file)

    def read_new(self) -> list[Record]:
        """The records that were appended, here or elsewhere, since the last call.

        Raises:
            LabelError: A line is not a record, or the file has become shorter.
        """
        if not self.path.exists():
            if self.offset:
                raise LabelError(f"{self.path}: was taken away while in use; put it back and start again")
            return []
        size = self.path.stat().st_size
        if size < self.offset:
            raise LabelError(f"{self.path}: was cut or replaced while in use; start again")
        if size == self.offset:
            return []
        with self.path.open("rb", buffering=0) as file, _locked(file.fileno(), shared=True):
            return self._read_from(file)

    def append(self, record: Record) -> list[Record]:
        """Writes a record and waits until the disk has it.

        Returns:
            The records that others appended since the last call, and this one last.

        Raises:
            OutputError: It cannot be written; nothing of it is left in the file.
        """
        data = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")
        is_new = not self.path.exists()
        try:
            # Unbuffered: what write() returns is what the operating system took.
            with self.path.open("a+b", buffering=0) as file, _locked(file.fileno()):
                self._mend(file)
                others = self._read_from(file)
                end = self.offset
                try:
                    _write_all(file.fileno(), data)
                    os.fsync(file.fileno())
                except OSError:
                    os.ftruncate(file.fileno(), end)
                    raise
                self.offset, self.line = end + len(data), self.line + 1
            if is_new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise OutputError(f"{self.path}: the answer cannot be kept: {error.strerror}") from error
        return [*others, record]

    def _read_from(self, file: FileIO) -> list[Record]:
        """Whole lines only: a line without its end is one that was never acknowledged."""
        file.seek(self.offset)
        data = file.readall() or b""
        whole = data[: data.rfind(b"\n") + 1]
        records = []
        for line in whole.split(b"\n")[:-1]:
            self.line += 1
            if line.strip():
                records.append(self._record(line))
        self.offset += len(whole)
        return records

    def _record(self, line: bytes) -> Record:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise LabelError(f"{self.path} line {self.line}: is not an answer: {error}") from error
        if not isinstance(record, dict) or not isinstance(record.get("id"), str) or "kind" not in record:
            raise LabelError(
                f"{self.path} line {self.line}: is not an answer of `review`; name a file of its own with --labels"
            )
        return record

    def _mend(self, file: FileIO) -> None:
        """Ends a last line that has no end; only what is no whole record, the trace of a killed process, is removed.

        To be called under the lock, so that nobody is still writing it.
        """
        file.seek(self.offset)
        data = file.readall() or b""
        torn = data[data.rfind(b"\n") + 1 :]
        if not torn:
            return
        try:
            json.loads(torn)
        except ValueError:
            file.truncate(self.offset + len(data) - len(torn))
            self.warn(f"{self.path}: removed a half-written last line that was never confirmed: {torn[:200]!r}")
        else:
            file.seek(0, os.SEEK_END)
            _write_all(file.fileno(), b"\n")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    """The name of a new file is on the disk only when its folder is."""
    with contextlib.suppress(PermissionError):  # Windows cannot open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _locked(descriptor: int, *, shared: bool = False) -> Iterator[None]:
    """Holds the file against the other processes that use it through this module.

    Not on Windows, where `docs/review.md` asks for one server a labels file.
    """
    if sys.platform == "win32":
        yield
        return
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
