import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanceline.errors import LabelError
from stanceline.records import Example
from stanceline.splits import folds_by, split_examples, split_of


def example(article, index=0, **values):
    return Example(article, index, "It rained.", {}, **values)


IDS = [f"article-{number}" for number in range(3000)]


def test_the_split_of_an_article_is_the_same_for_ever():
    # Computed apart from the code: the first 8 bytes of SHA-256 of "\0ID" as a share of 2^64.
    pinned = {"seed-1": "test", "seed-2": "train", "x/y.txt": "dev", "ж": "train", "seed-7": "train", "seed-6": "dev"}
    assert {article: split_of(article) for article in pinned} == pinned


def test_the_shares_are_about_those_asked_for():
    found = [split_of(article, dev_percent=20, test_percent=5) for article in IDS]
    assert found.count("dev") / len(found) == pytest.approx(0.20, abs=0.03)
    assert found.count("test") / len(found) == pytest.approx(0.05, abs=0.02)


def test_added_articles_never_move_the_others():
    few = split_examples([example(article) for article in IDS[:500]])
    many = split_examples([example(article) for article in IDS])
    assert all({e.key for e in few[name]} <= {e.key for e in many[name]} for name in few)


def test_a_larger_dev_takes_nothing_from_test():
    before = {article for article in IDS if split_of(article, dev_percent=5) == "test"}
    assert before == {article for article in IDS if split_of(article, dev_percent=40) == "test"}


def test_another_salt_is_another_split():
    assert [split_of(article) for article in IDS] != [split_of(article, salt="b") for article in IDS]


@pytest.mark.parametrize(("dev", "test"), [(-1, 10), (50, 50), (10, 200)])
def test_percentages_that_leave_no_training_are_refused(dev, test):
    with pytest.raises(LabelError, match="leaves nothing to train on"):
        split_of("a", dev_percent=dev, test_percent=test)


@pytest.mark.parametrize(("dev", "test"), [(0, 0), (0, 10), (10, 0)])
def test_a_share_of_zero_is_empty(dev, test):
    found = {split_of(article, dev_percent=dev, test_percent=test) for article in IDS}
    assert ("dev" in found, "test" in found) == (dev > 0, test > 0)


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9)), max_size=40))
def test_an_article_never_straddles_two_splits(keys):
    parts = split_examples([example(article, index) for article, index in keys])
    articles = [{e.article_id for e in part} for part in parts.values()]
    assert sum(map(len, articles)) == len(set().union(*articles))
    assert sum(map(len, parts.values())) == len(keys)
    assert all(e.split == name for name, part in parts.items() for e in part)


def test_a_given_split_holds_for_the_whole_article():
    article = next(article for article in IDS if split_of(article) == "train")
    parts = split_examples([example(article, 0), example(article, 1, split="test")])
    assert [e.sentence_index for e in parts["test"]] == [0, 1]


def test_two_given_splits_of_one_article_are_refused():
    with pytest.raises(LabelError, match="article 'a', sentence 1: is in dev, others of it in train"):
        split_examples([example("a", 0, split="train"), example("a", 1, split="dev")])


def test_each_source_is_left_out_once():
    examples = [example(f"{source}{number}", source=source) for source in "xyz" for number in range(2)]
    folds = list(folds_by(examples, "source"))
    assert sorted(fold.held_out for fold in folds) == [("x",), ("y",), ("z",)]
    for fold in folds:
        assert {e.source for e in fold.test} == set(fold.held_out)
        assert len(fold.train) + len(fold.test) == len(examples)
        assert not {e.source for e in fold.train} & set(fold.held_out)


def test_sources_are_packed_into_as_even_folds_as_they_allow():
    sizes = {"a": 5, "b": 4, "c": 3, "d": 2}
    examples = [example(f"{name}{n}", extra={"register": name}) for name, size in sizes.items() for n in range(size)]
    folds = list(folds_by(examples, "register", folds=2))
    assert [sorted(fold.held_out) for fold in folds] == [["a", "d"], ["b", "c"]]
    assert [len(fold.test) for fold in folds] == [7, 7]


@pytest.mark.parametrize("folds", [0, 1, 4])
def test_an_impossible_number_of_folds_is_refused(folds):
    with pytest.raises(LabelError, match="3 different source do not make"):
        list(folds_by([example(source, source=source) for source in "xyz"], "source", folds=folds))


def test_an_article_with_two_values_or_none_is_refused():
    with pytest.raises(LabelError, match="has no 'source'"):
        list(folds_by([example("a")], "source"))
    with pytest.raises(LabelError, match="source is 'y', elsewhere in the article 'x'"):
        list(folds_by([example("a", source="x"), example("a", 1, source="y")], "source"))
