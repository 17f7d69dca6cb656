"""The seeds are what their README says: checked, counted, divided for good."""

from collections import Counter
from pathlib import Path

import pytest

from stanceline.label_checks import WESTERN_VOICES, check_labels, tags_of
from stanceline.records import Example
from stanceline.sentences import split_sentences
from stanceline.splits import split_of

SEEDS = Path(__file__).parent.parent / "seeds"
TARGETS = ("western_policy", "global_security_proposals")
HARD_CASES = ("neg", "conc", "irony", "quoted", "refusal", "deplored", "rhet", "ref", "opp", "sentstance", "list")


def test_the_checker_passes_the_seeds():
    report = check_labels([SEEDS / "labels.jsonl"], targets=TARGETS, whole=True)
    assert [str(finding) for finding in report.findings] == []


def test_there_are_as_many_sentences_and_articles_as_a_newcomer_needs(seed_examples: tuple[Example, ...]):
    assert len(seed_examples) >= 3000
    assert len({example.article_id for example in seed_examples}) >= 250


@pytest.mark.parametrize(
    ("field", "label", "least"),
    [
        ("western_policy", "favor", 500),
        ("western_policy", "against", 500),
        ("western_policy", "neutral", 500),
        ("global_security_proposals", "favor", 450),
        ("global_security_proposals", "against", 300),
        ("global_security_proposals", "neutral", 250),
    ],
)
def test_the_rare_classes_are_not_rare(seed_examples: tuple[Example, ...], field: str, label: str, least: int):
    assert sum(example.labels[field] == label for example in seed_examples) >= least


@pytest.mark.parametrize("tag", HARD_CASES)
def test_every_hard_case_has_forty_sentences(seed_examples: tuple[Example, ...], tag: str):
    assert sum(tag in tags_of(example) for example in seed_examples) >= 40


def test_no_label_is_a_shadow_of_who_speaks(seed_examples: tuple[Example, ...]):
    against = [e.extra["voice"] in WESTERN_VOICES for e in seed_examples if e.labels["western_policy"] == "against"]
    favor = [e.extra["voice"] not in WESTERN_VOICES for e in seed_examples if e.labels["western_policy"] == "favor"]
    assert sum(against) / len(against) >= 0.25
    assert sum(favor) / len(favor) >= 0.25


def test_every_large_country_appears_with_every_stance_toward_western_policy(seed_examples: tuple[Example, ...]):
    seen = Counter((example.extra["voice"], example.labels["western_policy"]) for example in seed_examples)
    for country in ("US", "GB", "FR", "DE", "RU", "CN", "IN", "BR", "ZA", "JP", "TR", "IR", "UA", "PK", "NG", "MX"):
        for label in ("favor", "against", "neutral", "none"):
            assert seen[country, label] > 0, (country, label)


def test_the_split_is_that_of_the_hash_and_the_demo_articles_are_test(seed_examples: tuple[Example, ...]):
    for example in seed_examples:
        demo = example.article_id.endswith(".txt")
        assert example.split == ("test" if demo else split_of(example.article_id)), example.article_id


@pytest.mark.parametrize("path", sorted((SEEDS / "articles").iterdir()), ids=lambda path: path.name)
def test_the_splitter_finds_the_labelled_sentences_of_each_article(path: Path, seed_examples: tuple[Example, ...]):
    labelled = [example.text for example in seed_examples if example.article_id == path.name]
    assert [sentence.text for sentence in split_sentences(path.read_text(encoding="utf-8"))] == labelled
