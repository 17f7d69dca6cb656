"""Same sentence, same labels: alone, in a batch, in any order, on any engine, after save and load."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stanceline import classifier as classifier_module
from stanceline.classifier import StanceClassifier
from stanceline.errors import InputError
from stanceline.readers import read_articles
from stanceline.records import Article, Prediction, Sentence

TEXT = (
    "Envoys gather in Lusaka\n\nLUSAKA, June 3. Ministers of nine states will meet here on Thursday to discuss a "
    "charter of restraint. The hosts called it overdue. Nobody from the alliance has said whether it will come."
)


@pytest.fixture(scope="module")
def onnx(tiny_checkpoint: Path) -> StanceClassifier:
    # Without the cache: with it, whatever comes a second time would be what came first.
    return StanceClassifier.from_pretrained(tiny_checkpoint, device="cpu", cache=False)


@pytest.fixture(scope="module")
def torch_reference(tiny_checkpoint: Path) -> StanceClassifier:
    return StanceClassifier.from_pretrained(tiny_checkpoint, device="torch", cache=False)


@pytest.fixture(scope="module")
def articles(seed_examples) -> list[Article]:
    grouped: dict[str, list] = {}
    for example in seed_examples[:240]:
        grouped.setdefault(example.article_id, []).append(example)
    return [
        Article(
            name,
            sentences=tuple(Sentence(e.sentence_index, e.text) for e in group),
            title=group[0].title,
            related=group[0].related,
        )
        for name, group in grouped.items()
    ]


def scores(predictions: list[Prediction]) -> dict[tuple[str, int], list[float]]:
    return {
        prediction.key: [p for field in prediction.fields.values() for p in field.probabilities.values()]
        for prediction in predictions
    }


def test_a_text_gives_a_prediction_for_each_sentence_with_its_offsets(onnx: StanceClassifier):
    predictions = onnx.classify_text(TEXT)
    assert [TEXT[p.start : p.end] for p in predictions] == [p.text for p in predictions]
    assert [p.sentence_index for p in predictions] == list(range(4))


def test_a_text_is_labelled_as_a_file_of_it_would_be(onnx: StanceClassifier, tmp_path: Path):
    text = "# " + TEXT
    path = tmp_path / "text"
    path.write_text(text)
    (article,) = read_articles([str(path)], reject=pytest.fail)
    labelled = onnx.classify_text(text)
    assert labelled == list(onnx.classify([replace(article, article_id="text")]))
    assert {p.title for p in labelled} == {"Envoys gather in Lusaka"}
    assert {p.title for p in onnx.classify_text(text, title="")} == {""}


def test_probabilities_sum_to_one_and_the_label_is_the_most_probable(onnx: StanceClassifier):
    for prediction in onnx.classify_text(TEXT):
        for field in prediction.fields.values():
            assert sum(field.probabilities.values()) == pytest.approx(1)
            assert field.confidence == max(field.probabilities.values()) == field.probabilities[field.label]


@pytest.mark.parametrize("engine", ["onnx", "torch_reference"])
def test_an_article_scores_the_same_alone_in_a_batch_and_in_any_order(engine: str, articles, request):
    classifier: StanceClassifier = request.getfixturevalue(engine)
    together = scores(list(classifier.classify(articles)))
    shuffled = random.Random(0).sample(articles, len(articles))
    reordered = scores(list(classifier.classify(shuffled)))
    alone = scores([p for article in articles for p in classifier.classify([article])])
    assert together.keys() == reordered.keys() == alone.keys()
    for key, values in together.items():
        np.testing.assert_allclose(reordered[key], values, atol=1e-5)
        np.testing.assert_allclose(alone[key], values, atol=1e-5)


def test_predictions_come_in_the_order_of_the_input(onnx: StanceClassifier, articles):
    keys = [prediction.key for prediction in onnx.classify(articles)]
    assert keys == [(article.article_id, s.index) for article in articles for s in article.sentences]


def test_a_long_article_scores_the_same_whatever_the_buffer(onnx: StanceClassifier, articles, monkeypatch):
    monkeypatch.setattr(classifier_module, "BLOCK_SENTENCES", 16)
    sentences = [s.text for article in articles for s in article.sentences]
    long = Article("long", sentences=tuple(Sentence(i, text) for i, text in enumerate(sentences)))
    whole = scores(list(onnx.classify([long])))
    monkeypatch.setattr(classifier_module, "BUFFER_SENTENCES", 7)
    assert scores(list(onnx.classify([long]))) == whole
    assert len(whole) == len(sentences)


def test_a_sentence_longer_than_a_window_is_scored_whole(onnx: StanceClassifier):
    long = " ".join(f"proposal {number}" for number in range(400))
    (first,) = onnx.classify([Article("a", sentences=(Sentence(0, long),))])
    (second,) = onnx.classify([Article("a", sentences=(Sentence(0, long + " and then a treaty" * 40),))])
    assert scores([first]) != scores([second])


def test_int8_agrees_with_the_fp32_reference(onnx: StanceClassifier, torch_reference: StanceClassifier, articles):
    reference, fast = list(torch_reference.classify(articles)), list(onnx.classify(articles))
    pairs = [
        (a.fields[name].label, b.fields[name].label) for a, b in zip(reference, fast, strict=True) for name in a.fields
    ]
    assert sum(a == b for a, b in pairs) / len(pairs) >= 0.98


def test_context_changes_scores_only_where_the_sentences_are_related(onnx: StanceClassifier):
    def last(related: bool, before: str) -> list[float]:
        sentences = (Sentence(0, before), Sentence(1, "It is welcome."))
        return list(scores(list(onnx.classify([Article("a", sentences=sentences, related=related)]))).values())[1]

    assert last(True, "A peace plan was tabled.") != last(True, "New sanctions were announced.")
    assert last(False, "A peace plan was tabled.") == last(False, "New sanctions were announced.")


def test_strange_text_is_scored_without_failing(onnx: StanceClassifier):
    for text in ("...", "\u202e\u0000\ufeff", "🕊️ 🕊️", "a" * 5000):
        (prediction,) = onnx.classify([Article("a", sentences=(Sentence(0, text),))])
        assert set(prediction.fields) == {"western_policy", "global_security_proposals", "sentiment"}


GERMAN = "Der Minister sagte am Montag, dass die Sanktionen in Kraft bleiben. Er sprach nicht von Verhandlungen."


def test_another_language_is_labelled_unless_it_is_to_be_refused(onnx: StanceClassifier):
    assert len(onnx.classify_text(GERMAN)) == 2
    with pytest.raises(InputError, match="is in German, and the labels hold for English") as caught:
        onnx.classify_text(GERMAN, any_language=False)
    assert "\n" not in str(caught.value)
    articles = [Article("en", text=TEXT), Article("de", sentences=(Sentence(0, GERMAN),))]
    assert {p.article_id for p in onnx.classify(articles)} == {"en", "de"}
    with pytest.raises(InputError, match="article 'de': is in German"):
        list(onnx.classify(articles, any_language=False))
    assert onnx.classify_text(TEXT, any_language=False) == onnx.classify_text(TEXT)


def test_no_article_gives_no_prediction(onnx: StanceClassifier):
    assert list(onnx.classify([])) == []
    assert list(onnx.classify([Article("empty", text="")])) == []


def test_what_is_no_article_is_named(onnx: StanceClassifier):
    with pytest.raises(TypeError, match="got str; for a text there is classify_text"):
        list(onnx.classify(["Ministers met."]))  # type: ignore[list-item]
