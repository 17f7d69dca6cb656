"""Bytes of an input: opened, decompressed, and decoded without ever guessing in silence."""

import codecs
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

COMPRESSED = (".gz", ".zst")
# What the reading of a damaged, vanished or forbidden file raises; pyarrow's errors are OSError or ValueError.
READ_ERRORS = (OSError, EOFError, zlib.error)

_HEAD = 4096  # bytes that are enough to see what a file is
_CHUNK = 1 << 20  # bytes
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MAGIC = {
    b"%PDF-": "is a PDF; convert it to text first, for example with pdftotext",
    b"PK\x03\x04": "is a ZIP archive or an office document; unpack it, or save it as text",
    b"\xd0\xcf\x11\xe0": "is an office document; save it as text",
    b"{\\rtf": "is an RTF document; save it as text",
    b"\x1f\x8b": "is compressed with gzip; let its name end in .gz",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; let its name end in .zst",
    b"PAR1": "is a Parquet file; let its name end in .parquet",
}
_HTML_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)


class UnreadableError(Exception):
    """Why a file is no text; becomes a rejection."""


def open_bytes(path: Path) -> io.BufferedReader:
    """The file's content, decompressed where its name ends in .gz or .zst."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(io.BufferedReader, gzip.open(path, "rb"))  # which has all that we use of one
    if suffix == ".zst":
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), _CHUNK)
    return path.open("rb")


def read_up_to(stream: IO[bytes], size: int) -> bytes:
    """At most `size` bytes; fewer only at the end."""
    parts = []
    while size and (part := stream.read(min(size, _CHUNK))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def encoding_of(head: bytes) -> str:
    """`utf-8`, unless the first bytes are the mark of UTF-16 or of UTF-8 with a signature."""
    return next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")


def decode(data: bytes) -> str:
    """The text of a file.

    Raises:
        UnreadableError: It is binary or in another encoding than UTF-8 or (with its mark) UTF-16.
    """
    try:
        text = data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        raise UnreadableError(_why_undecodable(data, error)) from error
    refuse_binary(data[:_HEAD], text[:_HEAD])
    return text


def decode_html(data: bytes) -> str:
    """Like `decode`, but a page may also declare another encoding.

    Raises:
        UnreadableError: It is binary, or not in the encoding that it declares.
    """
    declared = _HTML_CHARSET.search(data[:_HEAD])
    try:
        return decode(data)
    except UnreadableError:
        if not declared:
            raise
    name = declared[1].decode("ascii", "replace")
    try:
        return data.decode("cp1252" if name.lower() in ("iso-8859-1", "latin1") else name)
    except (LookupError, UnicodeDecodeError) as error:
        raise UnreadableError(f"declares the encoding {name!r}, but is not in it; save the page as UTF-8") from error


def decode_chunks(stream: IO[bytes]) -> Iterator[str]:
    """The text of a stream in chunks.

    Raises:
        UnreadableError: As `decode`, when the place is reached.
    """
    head = stream.read(_HEAD)
    decoder = codecs.getincrementaldecoder(encoding_of(head))()
    chunk, position = head, 0
    while True:
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise UnreadableError(_why_undecodable(chunk, error, position)) from error
        if position == 0:
            refuse_binary(head, text)
        if "\0" in text:
            raise UnreadableError("is binary, not text; leave it out")
        yield text
        if not chunk:
            return
        position += len(chunk)
        chunk = stream.read(_CHUNK)


def refuse_binary(head: bytes, text: str) -> None:
    """Refuses what decodes by chance.

    Raises:
        UnreadableError: It is of a binary format, or full of control characters.
    """
    for magic, reason in _MAGIC.items():
        if head.startswith(magic):
            raise UnreadableError(reason)
    controls = sum(unicodedata.category(c) == "Cc" and not c.isspace() for c in text)
    if "\0" in text or controls > 0.05 * len(text):
        raise UnreadableError("is binary, not text; leave it out")


def _why_undecodable(data: bytes, error: UnicodeDecodeError, position: int = 0) -> str:
    for magic, reason in _MAGIC.items():
        if data.startswith(magic):
            return reason
    head = data[:_HEAD]
    if b"\0" in head:
        return "is binary, or UTF-16 without its mark; leave it out, or save it as UTF-8"
    from charset_normalizer import from_bytes

    # Chosen around the first strange byte: a long text may be plain ASCII before it.
    likely = from_bytes(data[max(0, error.start - _HEAD) : error.start + _HEAD]).best()
    if likely is None:
        return "is binary, or in an unknown encoding; leave it out, or save it as UTF-8"
    name = likely.encoding.replace("_", "-")
    at = position + error.start
    return f"is not UTF-8 (see byte {at}), perhaps {name}; convert it: iconv -f {name} -t utf-8 OLD > NEW"
