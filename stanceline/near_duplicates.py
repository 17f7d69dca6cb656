"""Sentences that say almost the same in almost the same words."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

MIN_WORDS = 12  # shorter sentences are often alike without being copies
GRAM = 4  # words
THRESHOLD = 0.5  # Jaccard similarity of the word 4-grams above which two sentences are near-duplicates

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A text, and the first one before it that is nearly the same, by their positions in the list."""

    first: int
    second: int
    similarity: float  # Jaccard, above THRESHOLD


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; what two texts have in common is told by them."""
    return _WORD.findall(text.casefold().replace("’", "'"))


def near_duplicates(texts: Sequence[str]) -> list[NearDuplicate]:
    """The texts of 12 words or more with an earlier one whose set of word 4-grams has a Jaccard similarity above 0.5.

    A text is paired with the first such text only: a template that was filled in a thousand times is reported a
    thousand times, not half a million. Two sets that are so alike share at least one of the rarest half of each one's
    grams (prefix filtering, Bayardo et al. 2007, https://doi.org/10.1145/1242572.1242591), so that only those are
    looked up, and boilerplate costs little.

    Returns:
        At most one pair for each text, in order; an exact duplicate is one too.
    """
    grams = [_grams(text) for text in texts]
    frequency = Counter(gram for found in grams for gram in found)
    index: defaultdict[_Gram, list[int]] = defaultdict(list)
    pairs = []
    for second, found in enumerate(grams):
        if not found:
            continue
        rare = sorted(found, key=lambda gram: (frequency[gram], gram))[: len(found) - len(found) // 2]
        candidates = {first for gram in rare for first in index[gram]}
        for first in sorted(candidates):
            other = grams[first]
            shared = len(found & other)
            similarity = shared / (len(found) + len(other) - shared)
            if similarity > THRESHOLD:
                pairs.append(NearDuplicate(first, second, similarity))
                break
        for gram in rare:
            index[gram].append(second)
    return pairs


def _grams(text: str) -> frozenset[_Gram]:
    found = words(text)
    if len(found) < MIN_WORDS:
        return frozenset()
    return frozenset(zip(*(found[start:] for start in range(GRAM)), strict=False))
