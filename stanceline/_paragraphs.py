"""Paragraphs of a plain text: which line breaks end one, and which are only where an editor wrapped the line."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

# Lines are looked at in windows of about this many characters, so that a text of any length needs little memory.
_WINDOW = 100_000
_LONGEST_WRAPPED_LINE = 120
_SHORTEST_WRAPPED_LINE = 40

_BREAK = re.compile(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_BULLET = re.compile(r"[-–—*•▪◦‣●■·]\s")
_NUMBER = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]\s")
_SPEAKER = re.compile(r"(?:[QA]|[A-Z][A-Z.’' -]{2,40})[:.]\s")
_ONLY_A_PREFIX = re.compile(
    r"(?:(?:[QA]|[A-Z][A-Z.’' -]{2,40}):|[-–—*•▪◦‣●■·]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)])"
)
_ENDED = re.compile(r"[.!?…:;。！？]['\"’”»)\]*_]*$")
_ENDED_BY_A_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Gen|Sen|MR|MRS|MS|DR|GEN|SEN)\.$")
# A line that ends in one of these goes on in the next.
_OPEN_END = re.compile(
    r"\b(?:a|an|and|as|at|but|by|for|from|in|into|its|of|on|or|that|the|their|to|which|who|with)$|\w-$", re.ASCII
)

_Line = tuple[int, int]  # code points of its first character and behind its last one, without outer spaces


def paragraph_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each paragraph, in order, without outer spaces; together they hold every non-space character.

    A blank line always ends a paragraph. A line break ends one too, unless the lines around are wrapped at a
    fixed width, or the line plainly goes on: it breaks off, and the next one starts in lower case.
    """
    for window in _windows(text):
        width = _wrap_width(text, window)
        for block in window:
            yield from _paragraphs_of(text, block, width)


def _windows(text: str) -> Iterator[list[list[_Line]]]:
    """Blocks, which are runs of lines without a blank one between, in lists of about one window's length."""
    blocks: list[list[_Line]] = [[]]
    window_start = 0
    for start, end in _lines(text):
        full = end - window_start > _WINDOW
        if start == end:
            if blocks[-1]:
                blocks.append([])
        else:
            blocks[-1].append((start, end))
            full = end - window_start > 10 * _WINDOW  # cut inside a block only where a block is very long
        if full:
            yield [block for block in blocks if block]
            blocks, window_start = [[]], end
    yield [block for block in blocks if block]


def _lines(text: str) -> Iterator[_Line]:
    """The lines of the text without outer spaces; start == end where a line is blank."""
    position = 0
    while position <= len(text):
        found = _BREAK.search(text, position)
        break_start = found.start() if found else len(text)
        start, end = position, break_start
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        yield start, end
        if not found:
            return
        position = found.end()


def _wrap_width(text: str, window: Sequence[Sequence[_Line]]) -> int:
    """The width at which an editor wrapped the lines, or 0 where they aren't wrapped.

    In wrapped text the next line's first word would not have fitted, and many lines begin in lower case.
    """
    lengths = [end - start for block in window for start, end in block if " " in text[start:end]]
    width = max(lengths, default=0)
    if not _SHORTEST_WRAPPED_LINE <= width <= _LONGEST_WRAPPED_LINE:
        return 0
    breaks = full = lower = 0
    for block in window:
        block_width = max(end - start for start, end in block)
        for line, following in pairwise(block):
            breaks += 1
            full += _is_full(text, line, following, block_width)
            lower += text[following[0]].islower()
    return width if breaks and full >= 0.6 * breaks and lower >= 0.3 * breaks else 0


def _is_full(text: str, line: _Line, following: _Line, width: int) -> bool:
    """Whether the first word of the following line would not have fitted."""
    first_word = text[following[0] : following[1]].split(maxsplit=1)[0]
    return line[1] - line[0] + 1 + len(first_word) > width


def _paragraphs_of(text: str, block: Sequence[_Line], width: int) -> Iterator[tuple[int, int]]:
    """The paragraphs of one block."""
    if width and len(block) > 2:
        width = max(end - start for start, end in block)
    start = 0  # index of the paragraph's first line
    for i, (line, following) in enumerate(pairwise(block)):
        lower_case_style = text[block[start][0]].islower()
        if not _goes_on(text, line, following, width, lower_case_style):
            yield block[start][0], line[1]
            start = i + 1
    yield block[start][0], block[-1][1]


def _goes_on(text: str, line: _Line, following: _Line, width: int, lower_case_style: bool) -> bool:
    """Whether the paragraph goes on behind the break between these two lines."""
    # What is asked of a line is seen at its ends; a line may be megabytes long.
    head, tail = text[line[0] : min(line[1], line[0] + 60)], text[max(line[0], line[1] - 60) : line[1]]
    after = text[following[0] : min(following[1], following[0] + 60)] + "\n"
    if _ONLY_A_PREFIX.fullmatch(head):
        return True
    ended = bool(_ENDED.search(tail)) and not _ENDED_BY_A_TITLE.search(tail)
    if _BULLET.match(after) or (_SPEAKER.match(after) and ended):
        return False
    if width and _is_full(text, line, following, width) and not (ended and _NUMBER.match(after)):
        return True
    if ended or _NUMBER.match(after):
        return False
    return (after[0].islower() and not lower_case_style) or bool(_OPEN_END.search(tail))
