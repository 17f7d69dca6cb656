"""Windows: nothing is lost, nothing depends on the neighbours in a batch."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from stanceline.config import AugmentConfig, ModelConfig
from stanceline.encoding import SpecialTokens, WindowEncoder, random_cuts, token_batches
from stanceline.errors import ConfigError

SPECIAL = SpecialTokens(cls=1, sep=2, pad=0)
sentence_ids = st.lists(st.lists(st.integers(10, 99), max_size=60), min_size=1, max_size=20)


def encoder(**changes) -> WindowEncoder:
    vocabulary = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "peace": 4, "talks": 5}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(2)
    return WindowEncoder(tokenizer, SPECIAL, ModelConfig(**{"max_length": 48, "title_length": 8, **changes}))


def scored_tokens(windows, position):
    return [
        token
        for window in windows
        for (start, end), place in zip(window.spans, window.sentences, strict=True)
        if place == position
        for token in window.token_ids[start:end]
    ]


@given(sentence_ids, st.lists(st.integers(10, 99), max_size=8), st.booleans())
def test_every_token_of_every_sentence_is_scored_once(sentences, title, related):
    windows = encoder().windows(sentences, title, related=related)
    for position, ids in enumerate(sentences):
        # A sentence without tokens is pooled from its separator.
        assert scored_tokens(windows, position) == (ids or [SPECIAL.sep])


@given(sentence_ids, st.lists(st.integers(10, 99), max_size=8))
def test_no_window_is_longer_than_max_length(sentences, title):
    assert all(len(window.token_ids) <= 48 for window in encoder().windows(sentences, title))


def test_a_later_window_repeats_the_sentence_before_it_unscored():
    first, second = encoder().windows([[10] * 20, [11] * 20, [12] * 20], overlap_title := [7])
    assert (first.sentences, second.sentences) == ([0, 1], [2])
    assert second.token_ids[: 1 + len(overlap_title) + 1] == [1, 7, 2]
    assert 11 in second.token_ids[: second.spans[0][0]]


def test_unrelated_sentences_stand_alone_and_without_the_title():
    windows = encoder().windows([[10, 11], [12]], [7], related=False)
    assert [window.token_ids for window in windows] == [[1, 10, 11, 2], [1, 12, 2]]


def test_nothing_before_a_cut_is_context():
    _, second = encoder().windows([[10], [11]], cuts=frozenset({1}))
    assert second.token_ids == [1, 11, 2]
    _, _, third, *_ = encoder(overlap=2).windows([[10], [11] * 4, [12] * 44], cuts=frozenset({1}), before=[[9]])
    assert not {9, 10} & set(third.token_ids)


def test_context_none_gives_the_windows_of_unrelated_sentences():
    sentences = [[10, 11], [12]]
    assert encoder(context="none").windows(sentences, [7]) == encoder().windows(sentences, related=False)


def test_the_tokenizer_s_own_truncation_is_switched_off():
    assert encoder().tokenize(["peace talks peace talks"]) == [[4, 5, 4, 5]]


def test_a_max_length_without_room_for_a_sentence_is_refused():
    with pytest.raises(ConfigError) as caught:
        encoder(max_length=20)
    assert str(caught.value) == (
        "windows of 20 tokens (max_length, or what the encoder can read) are too short for titles of 8; "
        "under [model] in the recipe, set max_length to 32 or more, or title_length to 2 or less"
    )
    encoder(max_length=32)
    encoder(max_length=20, title_length=2)
    with pytest.raises(ConfigError, match=r"set max_length to 32 or more$"):
        encoder(max_length=15)


def test_collate_pads_ids_mask_and_spans():
    batch = encoder().collate(encoder().windows([[10, 11], [12]], related=False))
    assert batch.input_ids.tolist() == [[1, 10, 11, 2], [1, 12, 2, 0]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch.spans.tolist() == [[[1, 3]], [[1, 2]]]


@given(st.lists(st.integers(1, 50), max_size=40))
def test_token_batches_hold_every_item_within_the_budget(lengths):
    batches = list(token_batches(range(len(lengths)), lengths, 100))
    assert sorted(item for batch in batches for item in batch) == list(range(len(lengths)))
    assert all(max(lengths[i] for i in batch) * len(batch) <= 100 for batch in batches)


def test_random_cuts_are_the_same_for_a_seed_and_never_before_the_first_sentence():
    config = AugmentConfig(cut_probability=1.0)
    draws = [random_cuts(12, config, random.Random(seed)) for seed in range(50)]
    assert draws == [random_cuts(12, config, random.Random(seed)) for seed in range(50)]
    assert all(0 not in cuts for cuts, _ in draws)
    assert any(len(cuts) == 11 for cuts, _ in draws), "some articles become single sentences"
    assert random_cuts(12, AugmentConfig(cut_probability=0.0), random.Random(0)) == (frozenset(), False)


def test_a_title_that_is_the_first_sentence_is_hidden_in_its_own_window_only():
    first, second = encoder().windows([[7, 8], [10] * 30, [11] * 30], [7, 8])
    assert first.token_ids[:4] == [1, 7, 8, 2]
    assert first.spans[0] == (1, 3)
    assert second.token_ids[:4] == [1, 7, 8, 2]
    assert second.spans[0][0] > 3
