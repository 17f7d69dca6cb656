"""The main text of a web page, without navigation, notices and comments."""

import logging
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """What was found on the page; "" where it doesn't say."""

    text: str  # a line a paragraph, heading or list item
    title: str
    source: str
    date: str  # YYYY-MM-DD


def read_page(html: str) -> Page:
    """The page's main text, its title, the name of its site, and its date; the text is "" where none is found."""
    import trafilatura  # a third of a second to import

    # A page without text is our rejection to report, not the library's to print.
    for name in ("trafilatura", "htmldate"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    found = trafilatura.bare_extraction(
        html,
        include_comments=False,
        with_metadata=True,
        date_extraction_params={"extensive_search": False, "original_date": True},  # a date that the page states
    )
    if found is None:
        return Page("", "", "", "")
    about = found if isinstance(found, dict) else found.as_dict()
    return Page(*(about.get(name) or "" for name in ("text", "title", "sitename", "date")))
