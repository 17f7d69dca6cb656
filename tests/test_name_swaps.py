"""Exchange of names while training."""

import random

import pytest

from stanceline.name_swaps import swap_names

WESTERN_CAPITALS = {"Washington", "London", "Paris", "Berlin", "Ottawa", "Rome", "Madrid", "Warsaw", "The Hague"}


def swaps(text: str, count: int = 40) -> set[str]:
    return {swap_names([text], random.Random(seed))[0] for seed in range(count)}


def test_a_western_name_becomes_a_western_name():
    assert swaps("Washington is silent.") & {f"{capital} is silent." for capital in WESTERN_CAPITALS}
    assert not swaps("Washington is silent.") & {"Moscow is silent.", "Beijing is silent.", "Kyiv is silent."}


def test_a_name_has_the_same_substitute_throughout_an_article():
    title, sentence = swap_names(
        ["Iran answers", "Tehran and the Iranian press were of one mind, as Iran is."], random.Random(3)
    )
    country = title.removesuffix(" answers")
    assert country != "Iran"
    assert sentence.endswith(f"as {country[0].lower() + country[1:] if country.startswith('The ') else country} is.")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("An American ship sailed.", ("An British", "A Italian", "An Dutch")),
        ("The United States left.", ("The France", "The Canada", "the ")),
        ("He praised Poland.", ("praised United States", "praised Netherlands")),
        ("UK aid arrived.", ("The United States aid", "the United States aid")),
    ],
)
def test_articles_fit_the_new_name(text: str, wrong: tuple[str, ...]):
    results = swaps(text)
    assert len(results) > 5
    assert not [result for result in results if result.startswith(wrong) or any(w in result for w in wrong)]


def test_other_words_stay():
    text = "Nobody exchanges a Canadarm, an Iranologist or a sentence about us."
    assert swap_names([text], random.Random(1)) == [text]
