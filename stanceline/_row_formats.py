"""Rows into a stream: JSON lines, CSV, Parquet."""

import csv
import gzip
import io
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Protocol, TextIO, cast

_GROUP_ROWS = 16_384  # rows of a Parquet row group, which are held until it is full


class Rows(Protocol):
    """Rows of one format on their way into a stream."""

    def write(self, row: dict[str, Any]) -> None:
        """Takes a row, which has all columns in order."""

    def flush(self) -> None:
        """Hands on what was taken."""

    def close(self) -> None:
        """Writes the end of the format, and hands everything on."""

    def abandon(self) -> None:
        """Lets go of the stream, whose content does not matter any more."""


class JsonRows:
    """JSON lines."""

    def __init__(self, stream: TextIO, types: Mapping[str, type]) -> None:
        self._stream = stream

    def write(self, row: dict[str, Any]) -> None:
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        _hand_on(self._stream)

    def abandon(self) -> None:
        pass


class CsvRows:
    """Comma-separated values under a header; a null is an empty cell."""

    def __init__(self, stream: TextIO, types: Mapping[str, type]) -> None:
        self._stream = stream
        # The writer's own line ends, \r\n: with others a lone \r in a cell would go unquoted.
        self._writer = csv.writer(stream)
        self._writer.writerow(types)

    def write(self, row: dict[str, Any]) -> None:
        self._writer.writerow(_as_text(cell) if isinstance(cell, bool | list | dict) else cell for cell in row.values())

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        _hand_on(self._stream)

    def abandon(self) -> None:
        pass


class ParquetRows:
    """Parquet in row groups of bounded size; nulls stay nulls, carried columns are text."""

    def __init__(self, stream: IO[bytes], types: Mapping[str, type], carried: Sequence[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
        self._schema = pa.schema([(name, arrow[kind]) for name, kind in types.items()])
        self._carried = tuple(carried)
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd")
        self._held: list[dict[str, Any]] = []

    def write(self, row: dict[str, Any]) -> None:
        row.update({name: _as_text(row[name]) for name in self._carried})
        self._held.append(row)
        if len(self._held) >= _GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._held, schema=self._schema))
        self._held = []

    def close(self) -> None:
        if self._held:
            self.flush()
        self._writer.close()

    def abandon(self) -> None:
        with suppress(OSError, ValueError):  # pyarrow's errors are one or the other
            self._writer.close()
        self._writer.is_open = False  # or it tries once more when it is collected


def _hand_on(stream: TextIO) -> None:
    """Flushes a text stream into the file below it; gzip writes its end when it is closed."""
    inner = cast(io.TextIOWrapper, stream).detach()
    inner.flush()
    if isinstance(inner, gzip.GzipFile):
        inner.close()


def as_json_value(value: Any) -> Any:
    """A value that was carried through, as JSON has it: a date as text, not-a-number as a null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [as_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json_value(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str | int) else str(value)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
