"""A report as a page, as Markdown and as CSV. All that comes from articles is hostile, and comes out as text."""

import base64
import csv
import hashlib
import html as html_entities
import io
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stanceline._version import __version__
from stanceline.labels import SENTIMENT_FIELD, Field
from stanceline.quantification import MIN_ARTICLES, MIN_SENTENCES, Estimate, Shares, recalls
from stanceline.report_charts import share_bar, side_chart, time_chart
from stanceline.report_content import FieldReport, Report
from stanceline.report_groups import SOURCES
from stanceline.report_tally import ShownArticle
from stanceline.review.predictions import PredictedRow

if TYPE_CHECKING:
    from _csv import Writer as _Writer

    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_LONGEST = 700  # characters of a sentence that are shown
_MARKS = {"favor": "F", "against": "A", "neutral": "N", "none": "X", "positive": "+", "negative": "−"}
_NEUTRAL_TONE = "·"
# Control characters and those that turn the direction of text: a sentence must read as it was classified.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ufffe\uffff]"
)
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#^$!]|:(?=//))")
_LIST_MARK = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")
_COLUMNS = (
    *("field", "group_kind", "group", "sentences", "articles", "label", "count"),
    *("counted", "counted_low", "counted_high", "adjusted", "adjusted_low", "adjusted_high"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def html(report: Report) -> str:
    """The whole report as one page without scripts, which loads nothing."""
    style = _environment().get_template("report.css").render(fields=range(len(report.fields)))
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return _render("report.html", report, style=_markup(style), digest=digest, card=_card(report.card))


def markdown(report: Report) -> str:
    """The tables, the sentences and the caveats as Markdown."""
    return _render("report.md", report)


def csv_table(report: Report) -> str:
    """The shares as a table: a row for each field, group and label, then one for the net stance.

    The cells of estimates are empty where there are too few sentences, or no error counts to adjust by. A name that a
    spreadsheet would run as a formula gets an apostrophe in front.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(_COLUMNS)
    for entry in report.fields:
        name = entry.field.name
        whole = ("all", "all", report.sentences, report.articles)
        _write_group(writer, entry.field, whole, entry.shares, entry.shares.counts)
        for kind, group in report.groups():
            place = (kind, _no_formula(visible(group.name)), group.sentences, group.articles)
            _write_group(writer, entry.field, place, group.shares[name] if group.shares else None, group.counts[name])
    return stream.getvalue()


def visible(text: str) -> str:
    """Text with the characters that hide or turn it written out, as in `⟨U+202E⟩`."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


def _write_group(
    writer: "_Writer", field: Field, place: tuple[object, ...], shares: Shares | None, counts: tuple[int, ...]
) -> None:
    for number, label in enumerate(field.labels):
        counted = shares.counted[number] if shares else None
        adjusted = shares.adjusted[number] if shares and shares.adjusted else None
        writer.writerow((field.name, *place, label, counts[number], *_rounded(counted), *_rounded(adjusted)))
    nets = (shares.net_counted, shares.net_adjusted) if shares else (None, None)
    writer.writerow((field.name, *place, "net", "", *_rounded(nets[0]), *_rounded(nets[1])))


def _rounded(estimate: Estimate | None) -> tuple[object, ...]:
    if estimate is None:
        return "", "", ""
    return round(estimate.value, 4), round(estimate.low, 4), round(estimate.high, 4)


def _no_formula(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        title=_title, seen=_shortened, name=visible, md=_markdown_text, percent=_percent, span=_span, signed=_signed
    )
    environment.globals.update(
        mark=_mark, paragraphs=_paragraphs, place=_place, runners=_runners, summary=_summary, found=_found,
        side_chart=side_chart, time_chart=time_chart, share_bar=share_bar, recalls=recalls,
        labels_of=_labels_of, version=__version__, min_articles=MIN_ARTICLES, min_sentences=MIN_SENTENCES,
        max_sources=SOURCES,
    )  # fmt: skip
    return environment


def _render(template: str, report: Report, **more: Any) -> str:
    return _environment().get_template(template).render(report=report, **more)


def _markup(text: str) -> "Markup":
    from markupsafe import Markup

    return Markup(text)  # our own style sheet, which holds nothing from articles


def _card(text: str) -> "Markup | None":
    """The model card as HTML: no markup of its own, no images."""
    if not text:
        return None
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    # The page has its own h1 and h2 above.
    page = parser.render(visible(text))
    return Markup(re.sub(r"(</?h)([1-4])>", lambda found: f"{found[1]}{int(found[2]) + 2}>", page))


def _title(name: str) -> str:
    """`western_policy` as `Western policy`."""
    return name.replace("_", " ").capitalize()


def _mark(field: Field, label: str) -> str:
    """The sign that stands for a label where colour is not seen."""
    return _NEUTRAL_TONE if (field.name, label) == (SENTIMENT_FIELD, "neutral") else _MARKS[label]


def _shortened(text: str) -> str:
    """A sentence, visible, and cut where it is very long."""
    cut = text[:_LONGEST]
    left = len(text) - len(cut)
    return visible(" ".join(cut.split())) + (f" … ({left:,} more characters)" if left else "")


def _markdown_text(text: str) -> str:
    """Text that Markdown leaves as it is, on one line."""
    line = html_entities.escape(" ".join(visible(text).split()), quote=False)
    line = _MARKDOWN.sub(r"\\\1", line).replace("www.", "www\\.")
    return _LIST_MARK.sub(r"\1\\\2" if not line[:1].isdigit() else r"\1\2", line)


def _percent(share: float) -> str:
    """A share for reading: tenths only where there is little."""
    return f"{share:.1%}" if 0.0005 <= share < 0.0995 else f"{share:.0%}"


def _span(estimate: Estimate) -> str:
    """An interval of shares, as in `9–15%`."""
    low, high = _percent(estimate.low), _percent(estimate.high)
    return low if low == high else f"{low.removesuffix('%')}–{high}"


def _signed(value: float) -> str:
    """A net stance, with its sign."""
    rounded = round(value, 2)
    return f"{rounded:+.2f}".replace("-", "−") if rounded else "0.00"


def _found(confusion: tuple[tuple[int, ...], ...], gold: int) -> list[str]:
    """How the sentences of one gold label were predicted on dev."""
    row = confusion[gold]
    return [f"{count / sum(row):.0%}" if sum(row) else "–" for count in row]


def _runners(field: Field, number: int, row: PredictedRow) -> list[tuple[str, float]]:
    """The two likeliest labels of a sentence, with their probabilities."""
    return sorted(zip(field.labels, row.probabilities[number], strict=True), key=lambda pair: -pair[1])[:2]


def _labels_of(report: Report, row: PredictedRow) -> str:
    """All labels of a sentence, for those who point at it."""
    parts = zip(report.fields, row.labels, row.confidences, strict=True)
    return "; ".join(f"{_title(entry.field.name)}: {label} {sure:.0%}" for entry, label, sure in parts)


def _place(row: PredictedRow) -> list[str]:
    """Where a sentence stands: article, source, date, number, characters."""
    parts = [row.title or row.article_id, row.source, row.date, f"sentence {row.sentence_index}"]
    if row.title and row.title != row.article_id:
        parts.insert(1, row.article_id)
    if row.start is not None and row.end is not None:
        parts.append(f"characters {row.start}–{row.end}")
    return [_shortened(part) for part in parts if part]


def _paragraphs(article: ShownArticle) -> list[list[PredictedRow]]:
    """The sentences of an article in paragraphs: a wide gap between two sentences was a blank line."""
    paragraphs: list[list[PredictedRow]] = []
    end: int | None = None
    for row in article.rows:
        gap = row.start - end if row.start is not None and end is not None else 0
        if not paragraphs or gap > 1:
            paragraphs.append([])
        paragraphs[-1].append(row)
        end = row.end
    return paragraphs


def _summary(entry: FieldReport) -> Mapping[str, str]:
    """The finding in words: which way the net goes, and whether that is sure."""
    net = entry.shares.net
    if net is None:
        return {"net": "none", "words": "No sentence is about it."}
    first, second = entry.field.labels[:2]
    adjective = {"favor": "favourable", "against": "critical"}
    more, less = adjective.get(first, first), adjective.get(second, second)
    if net.low > 0 and net.value > 0:
        words = f"more {more} than {less}"
    elif net.high < 0 and net.value < 0:
        words = f"more {less} than {more}"
    elif net.high - net.low > 1:
        words = "too uncertain to tell"
    else:
        words = "neither side clearly ahead"
    return {"net": f"{_signed(net.value)} ({_signed(net.low)} to {_signed(net.high)})", "words": words}
