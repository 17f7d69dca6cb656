"""Rows for the eye: a coloured listing for a terminal, each label as a mark and a word, never as a colour alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

_STYLES = {
    "favor": ("+", "green"),
    "against": ("−", "red"),
    "neutral": ("=", "yellow"),
    "none": ("·", "dim"),
    "positive": ("+", "green"),
    "negative": ("−", "red"),
}
_INDENT = 5
_GAP = "   "
# What a terminal would obey instead of show; texts come from anywhere.
_OBEYED = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = dict.fromkeys(_OBEYED, "\N{REPLACEMENT CHARACTER}") | dict.fromkeys(
    map(ord, "\t\n\r\x0b\x0c\x85\u2028\u2029"), " "
)


class Listing:
    """Prints rows article by article.

    Args:
        console: Where to; it knows the width and whether colours are wanted.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.article_id: str | None = None

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Prints further rows; a new article gets a heading."""
        for row in rows:
            if row["article_id"] != self.article_id:
                self._heading(row, first=self.article_id is None)
                self.article_id = row["article_id"]
            number = f"{row['sentence_index']:>{_INDENT - 1}} "
            lines = Text(printable(row["text"])).wrap(self.console, self._width)
            for place, line in enumerate((*lines, *self._label_lines(row))):
                self.console.print(Text.assemble((" " * _INDENT if place else number, "dim"), line), soft_wrap=True)

    @property
    def _width(self) -> int:
        return max(20, self.console.width - _INDENT)

    def _label_lines(self, row: Mapping[str, Any]) -> Iterator[Text]:
        """The labels side by side, as many as fit on a line."""
        line = Text()
        for label in _labels(row):
            if line and line.cell_len + len(_GAP) + label.cell_len > self._width:
                yield line
                line = Text()
            line = Text.assemble(line, _GAP if line else "", label)
        yield line

    def _heading(self, row: Mapping[str, Any], *, first: bool) -> None:
        if not first:
            self.console.print()
        heading = Text(printable(row["article_id"]), style="bold")
        if row["title"]:
            heading.append("  " + printable(row["title"]), style="not bold")
        self.console.print(heading)


def _labels(row: Mapping[str, Any]) -> Iterator[Text]:
    """The labels of a row, as many as it has."""
    for key, confidence in row.items():
        name = key.removesuffix("_confidence")
        # A column that was carried through may have such a name, but no label with a probability.
        if name == key or f"{name}_p_{row.get(name)}" not in row:
            continue
        mark, style = _STYLES[row[name]]
        doubt = "?" if row.get(f"{name}_uncertain") else ""
        label = f"{mark} {name}: {row[name]} {100 * confidence:.0f} %{doubt}"
        yield Text(label, style=style)


def printable(text: str) -> str:
    """The text on one line, without characters that a terminal would obey."""
    return text.translate(_CONTROLS)
