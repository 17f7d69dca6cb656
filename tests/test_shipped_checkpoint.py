"""The checkpoint that ships: the copy that the CPU runs says what the fp32 reference says."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from stanceline.ablations import articles_of
from stanceline.checkpoint import shipped_folder
from stanceline.classifier import StanceClassifier
from stanceline.gate import field_verdicts
from stanceline.label_files import read_examples
from stanceline.records import Example

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
FIELDS = ("western_policy", "global_security_proposals", "sentiment")


@pytest.fixture(scope="module")
def engines() -> tuple[StanceClassifier, StanceClassifier]:
    """The reference, and what runs on a CPU."""
    folder = shipped_folder("default")
    return tuple(StanceClassifier.from_pretrained(folder, device=device) for device in ("torch", "cpu"))


def agreement(engines: tuple[StanceClassifier, StanceClassifier], examples: Sequence[Example]) -> dict[str, float]:
    reference, copy = (list(engine.classify(articles_of(examples))) for engine in engines)
    assert len(reference) == len(copy) == len(examples)
    pairs = list(zip(reference, copy, strict=True))
    return {
        name: sum(a.fields[name].label == b.fields[name].label for a, b in pairs) / len(examples) for name in FIELDS
    }


def labelled(path: Path, split: str = "") -> list[Example]:
    examples = read_examples([path], targets=FIELDS[:2]).examples
    return [example for example in examples if not split or example.split == split]


def test_both_engines_label_the_test_articles_of_the_seeds_alike(engines):
    shares = agreement(engines, labelled(ROOT / "seeds" / "labels.jsonl", "test"))
    assert min(shares.values()) >= 0.98, shares


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="the development data is not here")
def test_both_engines_label_ten_thousand_real_sentences_alike(engines):
    shares = agreement(engines, labelled(DATA / "train.jsonl")[:10_000])
    assert min(shares.values()) >= 0.99, shares


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="the development data is not here")
def test_the_copy_loses_no_more_than_a_point_and_a_half_on_dev(engines):
    for verdict in field_verdicts(*engines, labelled(DATA / "dev.jsonl")):
        assert verdict.low >= -0.015, str(verdict)
