import errno
import json
import os

import pytest

from stanceline.errors import LabelError, OutputError
from stanceline.review.answers import Answer, Answers, settled_labels
from stanceline.review.store import AnswerStore

SENTENCE = ("a.txt", 0, "The toll is fair.")


def answer(id_, label, annotator="ana", field="tolls", **others):
    made = Answer(id_, f"2025-01-01T00:00:0{len(id_)}Z", annotator, *SENTENCE, field, label, **others)
    return made.to_record()


def undo(id_, undoes):
    return {"kind": "undo", "id": id_, "time": "2025-01-01T00:00:00Z", "annotator": "ana", "undoes": undoes}


def state(*records):
    answers = Answers()
    answers.apply(records)
    return answers, [(a.id, a.label) for a in answers.standing(SENTENCE)]


def test_a_later_answer_replaces_only_what_it_names():
    assert state(answer("a1", "favor"), answer("a2", "against", replaces=("a1",)))[1] == [("a2", "against")]
    answers, standing = state(answer("a1", "favor"), answer("a2", "against"))
    assert standing == [("a1", "favor"), ("a2", "against")]
    assert [c.field for c in answers.conflicts()] == ["tolls"], "two tabs of one person conflict as well"


def test_two_people_conflict_until_a_resolution_names_both():
    first, second = answer("a1", "favor"), answer("b1", "none", "ben")
    assert len(state(first, second)[0].conflicts()) == 1
    assert len(state(first, answer("b1", "favor", "ben"))[0].conflicts()) == 0
    settled = answer("c1", "none", "cy", replaces=("a1", "b1"), is_resolution=True)
    answers, standing = state(first, second, settled)
    assert standing == [("c1", "none")]
    assert answers.conflicts() == []
    late = state(first, second, settled, answer("d1", "against", "dee"))[0]
    assert len(late.conflicts()) == 1, "an answer that came later was not settled"


def test_undo_brings_back_what_was_replaced():
    records = [answer("a1", "favor"), answer("a2", "against", replaces=("a1",)), undo("u1", "a2")]
    assert state(*records)[1] == [("a1", "favor")]


def test_a_bad_sentence_conflicts_with_a_label_and_a_skip_with_nothing():
    bad = answer("b1", "bad", "ben", field=None)
    assert len(state(answer("a1", "favor"), bad)[0].conflicts()) == 1
    assert state(answer("a1", "favor"), answer("b1", "skip", "ben"))[0].conflicts() == []
    assert settled_labels([Answer.from_record(r) for r in (answer("a1", "skip"), bad)]) == {}


def test_a_damaged_record_is_named():
    record = answer("a1", "favor")
    del record["text"]
    with pytest.raises(LabelError, match="answer a1: is damaged"):
        Answers().apply([record])
    with pytest.raises(LabelError, match="not in the file"):
        Answers().apply([undo("u1", "a9")])


def test_records_survive_and_others_records_are_seen(tmp_path):
    path, warned = tmp_path / "l.jsonl", []
    one, two = AnswerStore(path, warned.append), AnswerStore(path, warned.append)
    assert one.open() == two.open() == []
    first, second = answer("a1", "favor"), answer("b1", "against\u2028", "ben")
    assert one.append(first) == [first]
    assert two.append(second) == [first, second], "what the other process wrote comes first"
    assert one.read_new() == [second]
    assert one.read_new() == []
    assert AnswerStore(path, warned.append).open() == [first, second]
    assert warned == []


def test_a_torn_line_is_removed_and_told(tmp_path):
    path, warned = tmp_path / "l.jsonl", []
    first = answer("a1", "favor")
    AnswerStore(path, warned.append).append(first)
    with path.open("ab") as file:
        file.write(json.dumps(answer("a2", "none")).encode()[:40])
    store = AnswerStore(path, warned.append)
    assert store.open() == [first]
    assert len(warned) == 1
    assert "half-written" in warned[0]
    third = answer("a3", "none")
    store.append(third)
    assert AnswerStore(path, warned.append).open() == [first, third]


def test_a_whole_last_line_without_its_end_is_kept(tmp_path):
    path = tmp_path / "l.jsonl"
    first = answer("a1", "favor")
    path.write_text(json.dumps(first), encoding="utf-8")
    store = AnswerStore(path, print)
    assert store.open() == [first]
    store.append(answer("a2", "none"))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_a_full_disk_refuses_the_answer_and_leaves_nothing_of_it(tmp_path, monkeypatch):
    path = tmp_path / "l.jsonl"
    store = AnswerStore(path, print)
    store.append(answer("a1", "favor"))
    before = path.read_bytes()
    write = os.write

    def full(descriptor, data):
        write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="No space left"):
        store.append(answer("a2", "none"))
    assert path.read_bytes() == before
    monkeypatch.undo()
    store.append(answer("a3", "none"))
    assert [r["id"] for r in AnswerStore(path, print).open()] == ["a1", "a3"]


def test_a_labels_file_of_another_kind_is_refused_untouched(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"article_id": "a", "sentence_index": 0, "text": "b", "tolls": "favor"}\n', encoding="utf-8")
    with pytest.raises(LabelError, match=r"labels\.jsonl line 1: is not an answer of `review`"):
        AnswerStore(path, print).open()
    with pytest.raises(OutputError, match="there is no folder"):
        AnswerStore(tmp_path / "no" / "labels.jsonl", print).open()
    assert path.read_text(encoding="utf-8").count("\n") == 1
