import pytest

from stanceline.errors import LabelError
from stanceline.floors import floors
from stanceline.joined import Joined
from stanceline.labels import SENTIMENT_LABELS, STANCE_LABELS, Field
from stanceline.records import Example

GOOD = "The minister warmly praised the wonderful treaty."
BAD = "The minister angrily condemned the horrible treaty."
PLAIN = "The session opened at noon in the assembly hall."
TEXTS = {"favor": GOOD, "against": BAD, "none": PLAIN}


def examples(count, prefix, labels=("favor", "against", "none"), fields=("treaty", "pact")):
    return [
        Example(f"{prefix}{n}", 0, TEXTS[labels[n % len(labels)]], dict.fromkeys(fields, labels[n % len(labels)]))
        for n in range(count)
    ]


def joined(found, name="treaty", labels=STANCE_LABELS):
    gold = tuple(e.labels[name] for e in found)
    return Joined(Field(name, labels), tuple(found), gold, gold, None)


def test_learned_floors_learn_from_the_training_labels():
    asked = examples(6, "asked")
    found = floors({"treaty": joined(asked), "pact": joined(asked, "pact")}, examples(30, "train"), seed=0)
    assert found["treaty"]["tfidf"] == tuple(e.labels["treaty"] for e in asked)


def test_the_majority_is_that_of_training_and_not_of_what_is_evaluated():
    train = examples(10, "train", ("against",))
    assert set(floors({"treaty": joined(examples(6, "asked", ("favor",)))}, train, seed=0)["treaty"]["majority"]) == {
        "against"
    }


def test_without_training_labels_no_article_is_predicted_from_itself():
    # Every text is unlike the others: whoever has seen an article knows its label, whoever has not cannot.
    asked = [Example(f"a{n}", 0, f"word{n}", {"treaty": "favor" if n == 0 else "none"}) for n in range(10)]
    found = floors({"treaty": joined(asked)}, None, seed=0)["treaty"]
    assert found["tfidf"][0] == "none"
    assert set(found["majority"]) == {"none"}


def test_the_target_blind_floor_gives_all_targets_the_same_label_and_needs_two_of_them():
    asked = examples(6, "asked")
    found = floors({"treaty": joined(asked), "pact": joined(asked, "pact")}, examples(30, "train"), seed=0)
    assert found["treaty"]["target_blind"] == found["pact"]["target_blind"]
    assert "target_blind" not in floors({"treaty": joined(asked)}, None, seed=0)["treaty"]


def test_sentiment_becomes_a_stance_by_its_sign():
    asked = examples(3, "asked")
    found = floors({"treaty": joined(asked)}, None, seed=0)["treaty"]["sentiment_as_stance"]
    assert found == ("favor", "against", "none")


def test_sentiment_itself_is_scored_by_its_own_labels():
    asked = [Example(f"a{n}", 0, text, {"sentiment": "neutral"}) for n, text in enumerate((GOOD, BAD, PLAIN))]
    found = floors({"sentiment": joined(asked, "sentiment", SENTIMENT_LABELS)}, None, seed=0)["sentiment"]
    assert found["vader"] == ("positive", "negative", "neutral")


def test_an_article_in_training_and_evaluation_is_refused():
    with pytest.raises(LabelError, match=r"1 articles stand both in --train .*'x0'"):
        floors({"treaty": joined(examples(1, "x"))}, examples(3, "x"), seed=0)


def test_one_class_only_is_predicted_as_that_class():
    asked = examples(4, "asked", ("none",))
    assert set(floors({"treaty": joined(asked)}, None, seed=0)["treaty"]["tfidf"]) == {"none"}
