"""Sentences of a text with exact offsets, right on what news and diplomacy are full of.

The boundaries are those of sentencex (Wikimedia's segmenter), asked paragraph by paragraph with quotation marks and
brackets blanked out, so that a quotation of two sentences is two. Around it stand the genre's own rules: some
boundaries are taken back (datelines, numbered items, `U.S. Army`, a question with its attribution), some are added.
"""

import re
from collections.abc import Iterable, Iterator

import sentencex

from stanceline._paragraphs import paragraph_spans
from stanceline.records import Sentence

_LONGEST_TITLE = 250  # characters
_PIECE = 5_000  # characters of a paragraph segmented at once: sentencex is quadratic where there are no spaces
_MARGIN = 500  # a boundary nearer to a piece's end is decided with the next piece
_STREAMED = 2_000_000  # characters of a stream that are split at once
_HELD_BACK = 20_000  # characters of those that are split again with what follows
_REACH = 200  # characters around a boundary that decide about it

_OPENERS = "\"“„«‘'([*_"
_MASK = str.maketrans(dict.fromkeys('"“”„«»‘()[]*\n\r\x0b\x0c\x85\u2028\u2029', " "))
_APOSTROPHE_AT_A_WORD_EDGE = re.compile(r"(?<![^\W_])['’]|['’](?![^\W_])")
_OPENERS_BEFORE_CUT = re.compile(rf"\s[{re.escape(_OPENERS)}]+\s*$")

# --- Boundaries that sentencex does not see.
_END = re.compile(r"[.!?…]\s+(?=[^\W_])")
_NO_ABBREVIATIONS = frozenset("no me may May miss ill art arc fed ok OK con".split())  # sentencex thinks they are
_SPEAKER = re.compile(r"(?:[QA]|QUESTION|ANSWER|(?:MR|MS|MRS|DR|AMB)\.?\s[A-Z][A-Z.’' -]+):\s")
_WORD_BREAK = re.compile(r"[\s/–-]")
_NUMBERED_ITEM = re.compile(r"\d{1,3}\.\s+[A-Z]")
_BULLET = re.compile(r"\s(?=[•▪◦‣●■]\s)")
_FOOTNOTE = re.compile(r"[.!?]['\"’”»)]*(?:\[\d{1,3}\])+\s+(?=\S)")

# --- Boundaries that are taken back.
_STARTERS = frozenset(
    "A After All Also Although An And Another As Asked At Before Both But By Despite During Each Earlier Even Every "
    "Few For From He Her Here His How However I If In Instead It Its Last Later Many Meanwhile More Most Much My Nor "
    "Not Now On Once One Only Or Our Over She Since So Some Such That The Their Then There These They This Those "
    "Though Through Thus To Today Under Until We What When Where Whether Which While Who Why With Yet You Your".split()
)
_ITEM_NUMBER = re.compile(r"\W{0,2}(?:\d{1,3}(?:\.\d{1,3})*|[ivxIVX]{1,5}|[A-Za-z])(?: ?(?:bis|ter|quater))?[.)]+")
_BEFORE_NAME = frozenset(
    "mr mrs ms dr drs messrs mme mlle gen lt maj col capt sgt cpl cmdr adm brig sen rep gov amb prof rev hon pres supt "
    "msgr st ft mt h.e vs".split()
)
_ALSO_LAST = ("st", "ft", "mt")  # of these: a street, feet, megatons
_BEFORE_NUMBER = frozenset(
    "no nos art arts para paras p pp sec secs chap chaps ch vol vols res doc docs fig figs pv add rev approx est ca cf "
    "pt op tel jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
_NUMBER = re.compile(r"[\W_]{0,2}(?:\d|[IVXLC]+\b)")
_ACRONYM = re.compile(r".*\b(?:[A-Z]\.){2,}")
_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_AFTER_CLOCK = re.compile(
    rf"{_DAY}\b(?!['’]s)|(?:E[SD]?T|C[ESD]?T|P[SD]?T|M[SD]?T|GMT|UTC|BST|MSK|CEST)\b|"
    r"(?:Eastern|Central|Mountain|Pacific)\b|(?:[A-Z]\w+ ){1,2}[Tt]ime\b|\(\d"
)
# `It ends at 5 p.m. Monday was next.` is two sentences, `The vote due at 5 p.m. Monday was put off.` is one.
_DAY_AND_VERB = re.compile(rf"{_DAY}\s(?:is|was|will|would|has|had|saw|brought|brings|marks|marked)\b")
_VERB_AND_CLOCK = re.compile(
    r"\b(?:is|are|was|were|(?:begin|start|open|resume|close|end|meet)s|began|ended|met|"
    r"(?:will|would|may|must|should)\s(?:be|begin|start|open|resume|close|end|meet))\s"
    r"(?:\w+\s)?(?:at|by|before|after|until)\s(?:\w+\s)?\d[\d:.]*\s?[ap]\.m\.$"
)
_RELATIVE = re.compile(r"\b(?:that|which|who)\b")
_CLOSING_QUOTES = "'\"’”»"
_QUESTION_IN_QUOTES = re.compile(r"[?!…]['\"’”»]+$")
_ATTRIBUTION = re.compile(
    r"(?:(?:[A-Z][\w.’'-]*|of|the|de|von|van|bin|al)\s){1,6}(?:said|asked|told|wondered|cried|shouted|wrote|demanded)\b"
)
_OMISSION = re.compile(r"[\[(]\s?(?:\.\.\.|…)\s?[\])]$")
_GLUED = re.compile(r"(?:[a-z]{3}|\d)[.!?]['\"’”»)]*$")  # "…the end.Next": a space was lost
_CJK_END = re.compile(r"[。！？｡؟।][”’»」』）]*$")
_MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?\.?|July?\.?|Aug(?:ust|\.)?|"
    r"Sep(?:t\.?|tember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_DATE = rf"(?:{_MONTH}\s\d{{1,2}}|\d{{1,2}}\s{_MONTH})(?:,?\s\d{{4}})?"
_AGENCY = r"(?:/[A-Z][^/\n]{1,40}/|\([A-Z][^)\n]{1,40}\))"
_PLACE = r"[A-Z][\w’'-]+(?:[ ,/.]{1,2}[A-Z][\w’'.-]*){0,4}"
# `MOSCOW, May 17. /TASS/.`, `GORI. August 13.`, `Beijing, 5 March (Xinhua).`
_DATELINE = re.compile(rf"{_PLACE}[,.]\s(?:{_DATE}[,.]?(?:\s{_AGENCY}\.?)?|{_AGENCY}\.?)\s(?:[-–—]+\s)?|{_AGENCY}\.\s")
_MARKDOWN = re.compile(r"^(?:#+\s+)?(\*\*|__|\*|_|)(.*?)\1(?:\s+#+)?$", re.DOTALL)  # a heading, or emphasis all over
_HEADLINE_END = re.compile(r"[\w'\"’”»)%]$")


def split_sentences(text: str) -> Iterator[Sentence]:
    """The sentences of the text in order, lazily; `text[s.start:s.end] == s.text` and no non-space character is lost.

    Any length is fine: the work is linear, and beside the text only one window of it is held.
    """
    index = 0
    for paragraph_start, paragraph_end in paragraph_spans(text):
        for start, end in _sentence_spans(text, paragraph_start, paragraph_end):
            yield Sentence(index, text[start:end], start, end)
            index += 1


def split_stream(chunks: Iterable[str]) -> Iterator[Sentence]:
    """Like `split_sentences`, for a text too long to be held: it comes in chunks, cut anywhere.

    Sentences are the same, save that lines wrapped at a fixed width are recognised from other surroundings.
    """
    buffer, offset, index, enough = "", 0, 0, _STREAMED
    for chunk in chunks:
        buffer += chunk
        if len(buffer) < enough:
            continue
        cut = 0
        for sentence in split_sentences(buffer):
            if sentence.end is None or sentence.end > len(buffer) - _HELD_BACK:
                break
            yield _moved(sentence, index, offset)
            cut, index = sentence.end, index + 1
        buffer, offset = buffer[cut:], offset + cut
        enough = max(_STREAMED, 2 * len(buffer))
    for sentence in split_sentences(buffer):
        yield _moved(sentence, index, offset)
        index += 1


def _moved(sentence: Sentence, index: int, offset: int) -> Sentence:
    start = offset + (sentence.start or 0)
    return Sentence(index, sentence.text, start, start + len(sentence.text))


def title_of(text: str) -> str:
    """The first line where it looks like a title, without Markdown's marks, else "".

    A title has no final full stop, isn't long, does not run on into the next line, and something follows it.
    """
    spans = paragraph_spans(text)
    first, second = next(spans, None), next(spans, None)
    if first is None or second is None or first[1] - first[0] > _LONGEST_TITLE:
        return ""
    line = text[first[0] : first[1]]
    title = _MARKDOWN.sub(r"\2", line)
    ends_open = re.search(r"[,;:]$", title)
    full_stop = re.search(r"\.['\"’”»)]*$", title) and not _ACRONYM.fullmatch(_last_word(title))
    return "" if ends_open or full_stop or "\n" in line else title


def _sentence_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of the sentences of one paragraph, piece by piece where it is long."""
    at_start, size = True, _PIECE
    while start < end:
        stop = min(start + size, end)
        piece = text[start:stop]
        spans = _spans_of_piece(piece, at_start)
        if stop < end:
            spans = [span for span in spans if span[1] < len(piece) - _MARGIN]
            if not spans:
                size *= 2
                continue
        for span in spans:
            yield start + span[0], start + span[1]
        start += spans[-1][1]
        while start < end and text[start].isspace():
            start += 1
        at_start, size = False, _PIECE


def _spans_of_piece(piece: str, at_start: bool) -> list[tuple[int, int]]:
    """Start and end of the sentences of a piece; `at_start`: it begins the paragraph."""
    spans: list[tuple[int, int]] = []
    dateline = _DATELINE.match(piece) if at_start else None
    dateline_end = dateline.end() if dateline else 0
    headline = at_start and len(piece) <= _LONGEST_TITLE and bool(_HEADLINE_END.search(piece))
    start = 0
    for cut in _candidate_cuts(piece):
        end = cut
        while end > start and piece[end - 1].isspace():
            end -= 1
        if end == start or cut <= dateline_end or _belongs_together(piece, start, end, cut, headline):
            continue
        spans.append((start, end))
        start = cut
        while start < len(piece) and piece[start].isspace():
            start += 1
    end = len(piece.rstrip())
    return [*spans, (start, end)] if start < end else spans


def _candidate_cuts(piece: str) -> list[int]:
    """Where a sentence may begin: sentencex's boundaries and ours, set before opening quotation marks."""
    masked = _APOSTROPHE_AT_A_WORD_EDGE.sub(" ", piece.translate(_MASK))
    cuts = {boundary["end_index"] for boundary in sentencex.get_sentence_boundaries("en", masked)}
    cuts.update(match.end() for match in _END.finditer(masked) if match.end() not in cuts and _is_unseen(masked, match))
    cuts.update(match.end() for pattern in (_FOOTNOTE, _BULLET) for match in pattern.finditer(piece))
    return sorted({_before_openers(piece, cut) for cut in cuts if cut < len(piece)})


def _is_unseen(masked: str, end: re.Match[str]) -> bool:
    """Whether a sentence ends here that sentencex has not seen."""
    first = masked[end.end()]
    if masked[end.start()] == "…":
        return first.isupper()
    word = _last_word(masked[max(0, end.start() - 20) : end.start()])
    if first.isdigit():
        return bool(_NUMBERED_ITEM.match(masked, end.end())) and word.lower() not in _BEFORE_NUMBER
    return first.isupper() and (word in _NO_ABBREVIATIONS or bool(_SPEAKER.match(masked, end.end())))


def _last_word(text: str) -> str:
    """What stands behind the last space, hyphen or slash, without opening quotation marks."""
    return _WORD_BREAK.split(text)[-1].lstrip(_OPENERS)


def _before_openers(piece: str, cut: int) -> int:
    """The cut, moved before quotation marks and brackets that open the sentence behind it."""
    found = _OPENERS_BEFORE_CUT.search(piece, max(0, cut - 20), cut)
    return found.start() + 1 if found else cut


def _belongs_together(piece: str, start: int, end: int, cut: int, headline: bool) -> bool:
    """Whether no sentence ends at `end`, though a boundary was seen there; `start` is where the sentence begins.

    Only the surroundings are looked at: the sentence may be megabytes long.
    """
    tail, following = piece[max(start, end - _REACH) : end], piece[cut : cut + _REACH].lstrip()
    core = following.lstrip(_OPENERS + " ")
    if not any(c.isalnum() for c in core) or not any(c.isalnum() for c in tail):
        return True
    if end == cut:  # no space between
        return not (_CJK_END.search(tail) or (_GLUED.search(tail) and core[:2].istitle()))
    if core[0].islower() and not piece[start : min(end, start + 20)].lstrip(_OPENERS + "-–—• ")[:1].islower():
        return True
    if headline and tail[-1] != ".":
        return True
    is_whole = end - start == len(tail)
    return _is_abbreviated(tail, is_whole, following, core) or _is_one_with_next(tail, is_whole, following)


def _is_abbreviated(tail: str, is_whole: bool, following: str, core: str) -> bool:
    """Whether the full stop belongs to an abbreviation or a number and ends no sentence."""
    if tail[-1] not in ".)":
        return False
    last = _last_word(tail)
    abbreviation = last.removesuffix(".").lower()
    first, *others = core.split(maxsplit=2)
    starts = first.rstrip(",") in _STARTERS
    if abbreviation in _BEFORE_NAME or (is_whole and _ITEM_NUMBER.fullmatch(tail)):
        return not (starts and abbreviation in _ALSO_LAST)
    if abbreviation in _BEFORE_NUMBER:
        return bool(_NUMBER.match(following))
    if abbreviation in ("a.m", "p.m"):
        return bool(_AFTER_CLOCK.match(following)) and not _is_day_the_subject(tail, following)
    if _ACRONYM.fullmatch(last) and following[0] not in _OPENERS:
        return not starts or (first == "Under" and others[:1] == ["Secretary"])
    return False


def _is_day_the_subject(tail: str, following: str) -> bool:
    """Whether the weekday behind a clock time begins a sentence, because the one before it is whole."""
    if not _DAY_AND_VERB.match(following):
        return False
    return bool(_VERB_AND_CLOCK.search(tail)) and not _RELATIVE.search(tail)


def _is_one_with_next(tail: str, is_whole: bool, following: str) -> bool:
    """Whether a quoted question goes on with its attribution, or a bracket inside the sentence is still open."""
    if tail[-1] in _CLOSING_QUOTES and _QUESTION_IN_QUOTES.search(tail) and _ATTRIBUTION.match(following):
        return True
    if _OMISSION.search(tail):
        return True
    opened = tail.rfind("(")
    inside = opened > tail.rfind(")") and (opened > 0 or not is_whole)
    return inside and ")" in following
