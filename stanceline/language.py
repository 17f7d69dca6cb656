"""Whether a text is in English; if not, what it is in, by name."""

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Any

from stanceline.records import Article

_SAMPLE = 2_000  # characters that are looked at: from the beginning, the middle and the end of a long text
_JUDGED = 8_000  # characters of an article's sentences that are enough to tell its language
_FEWEST_LETTERS = 20  # a shorter text is judged by its script alone
_NAMES = dict(
    pair.replace("-", " ").split(":")
    for pair in (
        "af:Afrikaans am:Amharic ar:Arabic as:Assamese az:Azerbaijani be:Belarusian bg:Bulgarian bn:Bengali "
        "br:Breton bs:Bosnian ca:Catalan cs:Czech cy:Welsh da:Danish de:German el:Greek eo:Esperanto "
        "es:Spanish et:Estonian eu:Basque fa:Persian fi:Finnish fr:French ga:Irish gl:Galician gu:Gujarati "
        "ha:Hausa he:Hebrew hi:Hindi hr:Croatian ht:Haitian-Creole hu:Hungarian hy:Armenian id:Indonesian "
        "ig:Igbo is:Icelandic it:Italian ja:Japanese ka:Georgian kk:Kazakh km:Khmer kn:Kannada ko:Korean "
        "ku:Kurdish ky:Kyrgyz la:Latin lo:Lao lt:Lithuanian lv:Latvian mg:Malagasy mk:Macedonian ml:Malayalam "
        "mn:Mongolian mr:Marathi ms:Malay mt:Maltese my:Burmese ne:Nepali nl:Dutch nn:Norwegian no:Norwegian "
        "or:Odia pa:Punjabi pl:Polish ps:Pashto pt:Portuguese ro:Romanian ru:Russian rw:Kinyarwanda "
        "si:Sinhala sk:Slovak sl:Slovene so:Somali sq:Albanian sr:Serbian sv:Swedish sw:Swahili ta:Tamil "
        "te:Telugu tg:Tajik th:Thai tk:Turkmen tl:Tagalog tr:Turkish ug:Uyghur uk:Ukrainian ur:Urdu uz:Uzbek "
        "vi:Vietnamese wuu:Chinese xh:Xhosa yo:Yoruba yue:Cantonese zh:Chinese zu:Zulu zxx:no-language"
    ).split()
)
# Words that are frequent in English and hardly ever stand in a text of another language in Latin script.
_ENGLISH_WORDS = frozenset(
    "the of and to that with from this which their have has been were are it by would will said who its they not "
    "his her its for after new over against before could should than what when about into because".split()
)
_ENOUGH_ENGLISH = 0.2  # share of those among the words
_SOME_ENGLISH = 0.08
# Another language is believed from this probability on, where English is all but ruled out. Measured on 22,000 English
# sentences, headlines and tweets, each alone: two were refused, both of them Polish.
_LIKELY = 0.5
_RULED_OUT = 0.05
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def foreign_language(text: str) -> str | None:
    """The name of the language or script that the text is in, or None where it is English or too short to tell.

    A text is English unless another language is nearly certain: names and headlines look foreign to any detector.
    """
    sample = _sample(text)
    words = _WORD.findall(sample.lower())
    script = "LATIN" if sample.isascii() else _main_script(sample)
    if sum(map(len, words)) < _FEWEST_LETTERS:
        return None if script == "LATIN" else _script_name(script)
    english = sum(word in _ENGLISH_WORDS for word in words) / len(words)
    if script == "LATIN" and english >= _ENOUGH_ENGLISH:
        return None
    ranking = dict(_identifier().rank(sample))
    language = max(ranking, key=ranking.__getitem__)
    if script != "LATIN":
        return _NAMES.get(language, _script_name(script))
    if ranking[language] < _LIKELY or ranking["en"] > _RULED_OUT or english >= _SOME_ENGLISH:
        return None
    return _NAMES.get(language, f"another language ({language})")


def foreign_language_of(article: Article) -> str | None:
    """As `foreign_language`, of an article; one that is already split is judged by its beginning."""
    if article.text is not None:
        return foreign_language(article.text)
    sample, length = [], 0
    for sentence in article.sentences or ():
        sample.append(sentence.text)
        length += len(sentence.text)
        if length > _JUDGED:
            break
    return foreign_language("\n".join(sample))


def _sample(text: str) -> str:
    if len(text) <= 3 * _SAMPLE:
        return text
    middle = len(text) // 2
    return " ".join((text[:_SAMPLE], text[middle : middle + _SAMPLE], text[-_SAMPLE:]))


def _main_script(sample: str) -> str:
    """The script of most letters by the first word of their Unicode names: LATIN, CYRILLIC, CJK, ..."""
    letters = [c for c in sample if c.isalpha()]
    scripts = Counter(_script(c) for c in letters[:: max(1, len(letters) // 200)])
    return scripts.most_common(1)[0][0] if scripts else "LATIN"


def _script_name(script: str) -> str:
    return "Chinese characters" if script == "CJK" else f"{script.capitalize()} script"


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").split()[0]


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
