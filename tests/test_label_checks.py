import json
import random
import time

import pytest

from stanceline.errors import LabelError
from stanceline.label_checks import check_labels, render, tags_of
from stanceline.label_merge import merge_labels
from stanceline.near_duplicates import near_duplicates, words
from stanceline.records import Example
from stanceline.splits import split_of

TARGETS = ("western_policy", "global_security_proposals")
LONG = "The foreign ministers of both countries met in the old town hall to talk about the fishing fleet"


def row(index=0, text=None, **values):
    return {
        "article_id": "a",
        "sentence_index": index,
        "text": text or f"Boat {index} left.",
        "western_policy": "none" if index % 2 else "favor",
        **values,
    }


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def findings(tmp_path, *rows, **options):
    report = check_labels([jsonl(tmp_path / "labels.jsonl", *rows)], targets=TARGETS, **options)
    return [(f.severity, f.problem.place.number, f.problem.message) for f in report.findings]


def test_sound_labels_have_no_findings(tmp_path):
    assert findings(tmp_path, row(0), row(1), row(2), whole=True) == []


def test_illegal_labels_and_doubled_ids_are_errors_in_the_order_of_the_lines(tmp_path):
    found = findings(tmp_path, row(0), row(0), row(1, western_policy="pro"), row(1))
    assert [(severity, line) for severity, line, _ in found[:2]] == [("error", 2), ("error", 3)]


@pytest.mark.parametrize(("whole", "severity"), [(False, "warning"), (True, "error")])
def test_a_gap_is_a_warning_unless_articles_must_be_whole(tmp_path, whole, severity):
    found = findings(tmp_path, row(1), row(2), row(5), row(6), whole=whole)
    assert found == [
        (severity, 1, "sentence 0 of article 'a' missing before sentence 1"),
        (severity, 3, "sentences 3 to 4 of article 'a' missing before sentence 5"),
    ]


def test_sentences_out_of_order_are_a_warning(tmp_path):
    found = findings(tmp_path, row(1), row(0), row(2))
    assert found == [("warning", 2, "sentence 0 of article 'a' comes after sentence 1")]


def test_a_long_text_that_comes_again_is_an_error_with_what_differs(tmp_path):
    found = findings(tmp_path, row(0, LONG + "."), row(1, LONG.upper()))
    assert found[0][:2] == ("error", 2)
    assert found[0][2].endswith("labels.jsonl line 1; western_policy is none, there favor")
    assert len(found) == 1


def test_short_boilerplate_that_comes_again_is_one_warning(tmp_path):
    found = findings(tmp_path, row(0, "Thank you."), row(1), row(2, "Thank you!"), row(4, "Thank you."), row(3))
    duplicates = [finding for finding in found if "stands again" in finding[2]]
    assert [(severity, line) for severity, line, _ in duplicates] == [("warning", 1)]
    assert "line 3" in duplicates[0][2]
    assert "line 4" in duplicates[0][2]


def test_a_near_duplicate_is_an_error(tmp_path):
    found = findings(tmp_path, row(0, LONG + " today."), row(1, LONG + " once more."))
    assert [(severity, line) for severity, line, _ in found] == [("error", 2)]
    assert "nearly the text of" in found[0][2]


def test_an_article_in_two_splits_is_an_error(tmp_path):
    found = findings(tmp_path, row(0, split="train"), row(1), row(2, split="dev"))
    assert [(severity, line) for severity, line, _ in found] == [("error", 3)]
    assert "is in dev, but in train at" in found[0][2]


def test_one_text_in_two_splits_is_told(tmp_path):
    found = findings(tmp_path, row(0, LONG, split="train"), row(0, LONG, article_id="b", split="test"), row(1))
    assert "; it is in test, there in train" in found[0][2]


def test_a_single_class_and_an_unknown_label_column_are_warnings(tmp_path):
    found = findings(tmp_path, row(0, arms_control="favor"), row(1, western_policy="favor", arms_control="none"))
    assert [severity for severity, _, _ in found] == ["warning", "warning"]
    assert "column 'arms_control' looks like labels" in found[0][2]
    assert "western_policy is favor throughout" in found[1][2]


def test_no_rows_are_an_error(tmp_path):
    assert [(severity, message) for severity, _, message in findings(tmp_path)] == [("error", "holds no rows")]


def test_counts_are_by_field_split_register_tag_and_voice(tmp_path):
    rows = [
        row(0, split="dev", voice="US", tags=["irony", "neg"], register="blog"),
        row(1, split="dev", voice="ke", tags="irony, list", register="blog"),
        row(0, article_id="b", text="Ice came early.", voice="KE", register="wire"),
    ]
    report = check_labels([jsonl(tmp_path / "labels.jsonl", *rows)], targets=TARGETS)
    assert report.labels["western_policy"]["dev"] == {"favor": 1, "against": 0, "neutral": 0, "none": 1}
    assert report.labels["western_policy"][split_of("b")]["favor"] == 1
    assert report.registers == {"blog": (1, 2), "wire": (1, 1)}
    assert report.tags == {"irony": 2, "neg": 1, "list": 1}
    assert report.voices["western_policy"]["KE"]["favor"] == 1
    text = render(report)
    assert "western_policy favor: 1 of 2 by Western voices (50%)" in text
    assert "western_policy against: 0 of 0 by Western voices\n" in text
    assert "3 labelled sentences, 0 unlabelled, 0 rows refused; 2 articles of 1 to 2 sentences, median 1.5" in text
    assert text.endswith("0 errors, 0 warnings")


def test_every_finding_is_rendered_with_file_and_line(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", *(row(n, western_policy="pro") for n in range(30)))
    text = render(check_labels([path], targets=TARGETS))
    assert all(f"error: {path} line {line}: 'pro' is not a stance" in text for line in range(1, 31))
    assert "30 errors, 1 warnings" in text


@pytest.mark.parametrize("tags", [["neg", "irony"], "neg irony", "neg,irony", "neg; irony"])
def test_tags_may_be_a_list_or_words(tags):
    assert tags_of(Example("a", 0, "It rained.", {}, extra={"tags": tags})) == ["neg", "irony"]


def test_the_index_finds_the_same_near_duplicates_as_comparing_all_pairs():
    draw = random.Random(5)
    vocabulary = [f"w{n}" for n in range(40)]
    texts = []
    for _ in range(60):
        base = draw.choices(vocabulary, k=draw.randint(10, 30))
        texts.extend(" ".join(word for word in base if draw.random() > 0.05) for _ in range(3))
    draw.shuffle(texts)
    grams = [set(zip(*(words(t)[s:] for s in range(4)), strict=False)) if t.count(" ") >= 11 else set() for t in texts]
    expected = {}
    for second in range(len(texts)):
        for first in reversed(range(second)):
            both = grams[first] | grams[second]
            if both and len(grams[first] & grams[second]) / len(both) > 0.5:
                expected[second] = first
    found = near_duplicates(texts)
    assert {pair.second: pair.first for pair in found} == expected
    assert len(found) > 20


@pytest.mark.slow
def test_twenty_thousand_sentences_are_compared_in_seconds():
    draw = random.Random(1)
    # Word frequencies as in real text: a few words everywhere, most of them rare.
    vocabulary, weights = [f"w{n}" for n in range(5000)], [1 / (n + 1) for n in range(5000)]
    texts = [" ".join(draw.choices(vocabulary, weights, k=22)) for _ in range(20_000)]
    start = time.perf_counter()
    assert near_duplicates([*texts, texts[7]])[-1].first == 7
    assert time.perf_counter() - start < 60  # 3 to 6 on an idle core


def test_the_last_label_wins_by_field_and_an_empty_cell_takes_nothing_back(tmp_path):
    first = jsonl(tmp_path / "a.jsonl", row(0, sentiment="positive", voice="KE"), row(1))
    second = jsonl(
        tmp_path / "b.jsonl", row(1, western_policy="against"), row(0, western_policy=None, sentiment="negative")
    )
    examples, conflicts = merge_labels([first, second], targets=TARGETS)
    assert [(e.key, dict(e.labels)) for e in examples] == [
        (("a", 0), {"western_policy": "favor", "sentiment": "negative"}),
        (("a", 1), {"western_policy": "against"}),
    ]
    assert examples[0].extra == {"voice": "KE"}
    assert [str(conflict) for conflict in conflicts] == [
        f"{second} line 1: sentence 1 of article 'a': western_policy is against, was none at {first} line 2",
        f"{second} line 2: sentence 0 of article 'a': sentiment is negative, was positive at {first} line 1",
    ]


def test_a_conflict_names_the_place_of_the_label_that_gave_way(tmp_path):
    path = jsonl(
        tmp_path / "a.jsonl",
        row(0, western_policy="favor"),
        row(0, western_policy=None, sentiment="neutral"),
        row(0, western_policy="none"),
    )
    _, (conflict,) = merge_labels([path], targets=TARGETS)
    assert (conflict.earlier_place.number, conflict.later_place.number) == (1, 3)


def test_labels_without_text_are_merged_onto_the_sentence_that_has_it(tmp_path):
    texts = jsonl(tmp_path / "a.jsonl", row(0, "It rained.", split="dev"))
    labels = jsonl(tmp_path / "b.jsonl", {"article_id": "a", "sentence_index": 0, "western_policy": "none"})
    (example,), _ = merge_labels([texts, labels], targets=TARGETS)
    assert (example.text, example.split, example.labels["western_policy"]) == ("It rained.", "dev", "none")
    with pytest.raises(LabelError, match="has labels but nowhere a text"):
        merge_labels([labels], targets=TARGETS)


def test_one_id_with_two_texts_is_refused(tmp_path):
    first, second = jsonl(tmp_path / "a.jsonl", row(0, "One.")), jsonl(tmp_path / "b.jsonl", row(0, "Two."))
    with pytest.raises(LabelError, match=r"b.jsonl line 1: sentence 0 of article 'a' has another text"):
        merge_labels([first, second], targets=TARGETS)


def test_problems_stop_a_merge(tmp_path):
    with pytest.raises(LabelError, match="'pro' is not a stance"):
        merge_labels([jsonl(tmp_path / "a.jsonl", row(0, western_policy="pro"))], targets=TARGETS)
