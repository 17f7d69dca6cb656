import csv
import hashlib
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stanceline.errors import ConfigError, LabelError, OutputError
from stanceline.label_files import foreign_labels, group_articles, read_examples, write_examples
from stanceline.labels import SENTIMENT_LABELS, STANCE_LABELS, Field
from stanceline.records import Example

TARGETS = ("western_policy", "global_security_proposals")
POLICY = Field("western_policy", STANCE_LABELS)
SENTIMENT = Field("sentiment", SENTIMENT_LABELS)
FORMATS = ("jsonl", "csv", "parquet")


def row(index=0, **values):
    return {
        "article_id": "a",
        "sentence_index": index,
        "text": f"The harbour was closed on day {index}.",
        "western_policy": "none",
        "sentiment": "neutral",
        **values,
    }


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def refused(path, match, **options):
    with pytest.raises(LabelError, match=match):
        read_examples([path], **{"targets": TARGETS, **options})


# ASCII controls are left out of titles only where no text editor would keep them: a sentence may hold anything.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(lambda text: text.strip())


@pytest.mark.parametrize("ending", FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            TEXTS,
            st.sampled_from([None, *STANCE_LABELS]),
            st.sampled_from(SENTIMENT_LABELS),
            st.sampled_from(["", "train", "dev", "test"]),
            st.floats(0, 10),
            st.sampled_from(["blog", "headlines", 'Nachrichten; "Wien", 4 Uhr']),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read_back_the_same(tmp_path, ending, rows):
    examples = tuple(
        Example(
            article_id=f"id, {number}",
            sentence_index=number,
            text=text,
            labels={"sentiment": mood} if stance is None else {"western_policy": stance, "sentiment": mood},
            title="A title",
            related=register != "headlines",
            weight=weight,
            split=split,
            extra={"register": register},
        )
        for number, (text, stance, mood, split, weight, register) in enumerate(rows)
    )
    path = tmp_path / f"labels.{ending}"
    write_examples(path, examples, (POLICY, SENTIMENT), overwrite=True)
    assert read_examples([path], (POLICY, SENTIMENT)).examples == examples


@pytest.mark.parametrize("ending", FORMATS)
def test_the_string_none_is_a_label_and_an_empty_cell_is_not(tmp_path, ending):
    examples = [Example("a", 0, "It rained.", {"western_policy": "none"}), Example("a", 1, "It snowed.", {})]
    path = tmp_path / f"labels.{ending}"
    write_examples(path, examples, (POLICY,))
    table = read_examples([path], targets=TARGETS)
    assert [dict(example.labels) for example in table.examples] == [{"western_policy": "none"}, {}]
    assert (table.counts.used, table.counts.unlabelled, table.counts.refused) == (1, 1, 0)


def test_an_unknown_label_is_named_with_file_line_and_the_legal_ones(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(0), row(1, western_policy="pro"))
    with pytest.raises(LabelError) as caught:
        read_examples([path], targets=TARGETS)
    assert str(caught.value) == (
        f"{path} line 2: 'pro' is not a stance; use one of favor, against, neutral, none (column western_policy)"
    )


def test_the_line_of_a_csv_row_counts_the_lines_inside_quoted_cells(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        'article_id,sentence_index,text,sentiment\na,0,"One,\ntwo,\nthree.",neutral\na,1,"Four\nfive.",sad\n', "utf-8"
    )
    refused(path, r"line 5: 'sad' is not a sentiment; use one of positive, negative, neutral")


def test_a_parquet_row_is_named_by_its_number(tmp_path):
    path = tmp_path / "labels.parquet"
    write_examples(path, [Example("a", 0, "It rained.", {"sentiment": "neutral"})] * 2, (SENTIMENT,))
    refused(path, r"labels.parquet row 2: sentence 0 of article 'a' stands already at .* row 1")


def test_twenty_problems_are_shown_and_the_rest_counted(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", *(row(n, sentiment="sad") for n in range(25)))
    with pytest.raises(LabelError) as caught:
        read_examples([path], targets=TARGETS)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 5 more problems"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sentence_index": "two"}, "line 1: sentence_index 'two' is not a whole number"),
        ({"sentence_index": 1.5}, "line 1: sentence_index 1.5 is not a whole number"),
        ({"sentence_index": -1}, "line 1: sentence_index -1 is not a whole number"),
        ({"sentence_index": True}, "line 1: sentence_index True is not a whole number"),
        ({"sentence_index": None}, "line 1: sentence_index None is not a whole number"),
        ({"text": "  "}, "line 1: text is empty"),
        ({"text": "half \ud800 of it"}, "line 1: text holds half of a surrogate pair"),
        ({"article_id": None}, "line 1: article_id is empty"),
        ({"split": "validation"}, "line 1: 'validation' is not a split; use one of train, dev, test"),
        ({"weight": -1}, "line 1: weight -1 is not a number from 0"),
        ({"weight": "heavy"}, "line 1: weight 'heavy' is not a number from 0"),
        ({"sentiment": 1}, "line 1: '1' is not a sentiment"),
    ],
)
def test_a_bad_cell_is_refused_by_name(tmp_path, values, message):
    refused(jsonl(tmp_path / "labels.jsonl", row(**values)), message)


@pytest.mark.parametrize("written", ["3", "3.0", 3, 3.0])
def test_a_whole_number_may_be_written_as_spreadsheets_do(tmp_path, written):
    path = jsonl(tmp_path / "labels.jsonl", row(sentence_index=written))
    assert read_examples([path], targets=TARGETS).examples[0].sentence_index == 3


def test_a_weight_of_zero_survives(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(weight=0))
    assert read_examples([path], targets=TARGETS).examples[0].weight == 0.0


def test_a_missing_column_is_named_with_the_one_that_may_be_meant(tmp_path):
    bad = row()
    bad["western_polcy"] = bad.pop("western_policy")
    path = jsonl(tmp_path / "labels.jsonl", bad)
    refused(path, r"no column 'western_policy'; is 'western_polcy' meant for it\?", fields=[POLICY])


def test_columns_that_look_like_labels_but_are_not_read_are_told(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(arms_control="favor", western_polcy="pro", register="blog"))
    assert read_examples([path], targets=TARGETS).unread_label_columns == ("arms_control", "western_polcy")


def test_without_fields_the_columns_decide_in_the_order_of_the_targets(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(global_security_proposals="favor"))
    assert [field.name for field in read_examples([path], targets=TARGETS).fields] == [*TARGETS, "sentiment"]


def test_no_label_column_at_all_is_an_error(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", {"article_id": "a", "sentence_index": 0, "text": "It rained."})
    refused(path, "no column holds labels; name one western_policy, global_security_proposals, sentiment")


def test_rows_without_any_label_are_an_error(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(western_policy=None, sentiment=""))
    refused(path, "no row is labelled in western_policy, sentiment")


@pytest.mark.parametrize(("name", "content"), [("labels.jsonl", ""), ("labels.csv", "article_id,sentiment\n")])
def test_a_file_without_rows_is_an_error(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    refused(path, "holds no rows")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.xlsx", b"", r"'.xlsx' is not a format of labels; use .jsonl, .csv, .parquet"),
        ("labels.jsonl", b"{broken\n", "line 1: is not JSON"),
        ("labels.jsonl", b"[1]\n", "line 1: is not a JSON object"),
        ("labels.jsonl", b'\n{"text": "\xff"}\n', "line 2: is not UTF-8"),
        ("labels.csv", b"article_id,text\na,\xff\n", "line 2: is not UTF-8"),
        ("labels.csv", b"article_id;sentence_index;text\na;0;b\n", "not separated by commas"),
        ("labels.csv", b"text,text\na,b\n", "column 'text' stands twice"),
        ("labels.csv", b"article_id,sentence_index,text,sentiment\na,0,One, two,neutral\n", "line 2: has 5 cells"),
        ("labels.csv", b'article_id,sentence_index\na,"0\n', "is not CSV"),
        ("labels.parquet", b"PAR1", "is not a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


def test_columns_without_a_name_lose_nothing_and_empty_ones_are_no_obstacle(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(",article_id,sentence_index,text,sentiment,,\n7,a,0,It rained.,neutral,,\n", encoding="utf-8")
    assert read_examples([path]).examples[0].extra == {"unnamed_1": "7"}


def test_a_folder_and_no_file_are_told_apart(tmp_path):
    refused(tmp_path, "is a folder; name the labels files in it")
    with pytest.raises(LabelError, match="no labels file was given"):
        read_examples([])


def test_a_missing_file_is_named(tmp_path):
    refused(tmp_path / "labels.csv", "labels.csv: cannot be read: No such file")


def test_refused_rows_can_be_left_out_and_are_counted(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(0), row(1, sentiment="sad"), row(0), row(2, sentiment=None))
    table = read_examples([path], targets=TARGETS, refuse=True)
    assert [example.sentence_index for example in table.examples] == [0, 2]
    assert [problem.place.number for problem in table.problems] == [2, 3]
    assert (table.counts.used, table.counts.unlabelled, table.counts.refused) == (2, 0, 2)


def test_a_byte_order_mark_and_a_line_separator_inside_a_sentence_are_no_obstacle(tmp_path):
    path = tmp_path / "labels.jsonl"
    text = "One\u2028two."
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(row(text=text), ensure_ascii=False).encode())
    assert read_examples([path], targets=TARGETS).examples[0].text == text


def test_a_sentence_longer_than_python_s_limit_for_csv_is_read(tmp_path):
    csv.field_size_limit(131_072)  # the default, which an earlier reader may have raised
    path = tmp_path / "labels.csv"
    text = "The harbour was closed, the clerk said, and " * 5_000
    path.write_text(f'article_id,sentence_index,text,western_policy\na,0,"{text}",none\n', "utf-8")
    assert read_examples([path], targets=TARGETS).examples[0].text == text


def test_json_nested_without_end_is_one_refused_row(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(0))
    path.write_text(path.read_text() + "[" * 200_000 + "\n", encoding="utf-8")
    refused(path, "line 2: is not JSON")


def test_an_id_that_comes_again_in_another_file_is_refused(tmp_path):
    first, second = jsonl(tmp_path / "a.jsonl", row()), jsonl(tmp_path / "b.jsonl", row())
    with pytest.raises(
        LabelError, match=r"b.jsonl line 1: sentence 0 of article 'a' stands already at .*a.jsonl line 1"
    ):
        read_examples([first, second], targets=TARGETS)


def test_hash_and_place_tell_where_an_example_came_from(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(0), row(1))
    table = read_examples([path], targets=TARGETS)
    assert table.hashes == {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}
    assert [str(place) for place in table.places] == [f"{path} line 1", f"{path} line 2"]


def test_other_columns_are_kept_and_empty_ones_are_not(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(register="blog", tags=["irony"], voice=None, score=math.nan))
    assert read_examples([path], targets=TARGETS).examples[0].extra == {"register": "blog", "tags": ["irony"]}


@pytest.mark.parametrize("values", [{"title": "(separate short items)"}, {"register": "headlines"}])
def test_separate_items_are_unrelated(tmp_path, values):
    path = jsonl(tmp_path / "labels.jsonl", row(**values), row(0, article_id="b"))
    assert [example.related for example in read_examples([path], targets=TARGETS).examples] == [False, True]


def test_a_label_map_turns_foreign_labels_into_ours(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(western_policy="PRO"), row(1, western_policy="n/a"))
    label_map = {"western_policy": {"favor": "PRO", "none": ["n/a", "neutral"]}}
    examples = read_examples([path], [POLICY], label_maps=label_map).examples
    assert [example.labels["western_policy"] for example in examples] == ["favor", "none"]


def test_a_label_that_the_map_does_not_know_is_refused(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row(western_policy="favor"))
    label_maps = {"western_policy": {"favor": "PRO"}}
    refused(path, "'favor' is not a label; the label map knows PRO", fields=[POLICY], label_maps=label_maps)


@pytest.mark.parametrize(
    ("label_map", "message"),
    [({"pro": "PRO"}, "'pro' is not one of"), ({"favor": "x", "none": ["x"]}, "'x' stands for favor and for none")],
)
def test_a_wrong_label_map_is_refused(label_map, message):
    with pytest.raises(ConfigError, match=message):
        foreign_labels(label_map, POLICY)


def test_a_label_map_for_an_unknown_field_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="arms_control"):
        read_examples([jsonl(tmp_path / "labels.jsonl", row())], [POLICY], label_maps={"arms_control": {}})


def test_labels_without_texts_are_read_only_when_asked_for(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", {"article_id": "a", "sentence_index": 0, "sentiment": "neutral"})
    refused(path, "no column 'text'")
    assert read_examples([path], text_required=False).examples[0].text == ""


def test_an_existing_file_is_not_overwritten_unless_asked(tmp_path):
    path = jsonl(tmp_path / "labels.jsonl", row())
    before = path.read_bytes()
    example = Example("b", 0, "It rained.", {"sentiment": "neutral"})
    with pytest.raises(OutputError, match="exists already"):
        write_examples(path, [example], (SENTIMENT,))
    assert path.read_bytes() == before
    write_examples(path, [example], (SENTIMENT,), overwrite=True)
    assert read_examples([path], (SENTIMENT,)).examples == (example,)


def test_a_write_that_fails_leaves_neither_a_part_nor_the_old_file_touched(tmp_path):
    path = tmp_path / "labels.parquet"
    good = Example("a", 0, "It rained.", {"sentiment": "neutral"}, extra={"voice": "KE"})
    write_examples(path, [good], (SENTIMENT,))
    mixed = [good, Example("a", 1, "It snowed.", {"sentiment": "neutral"}, extra={"voice": ["KE"]})]
    with pytest.raises(OutputError, match="column 'voice' mixes types"):
        write_examples(path, mixed, (SENTIMENT,), overwrite=True)
    assert read_examples([path], (SENTIMENT,)).examples == (good,)
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.parquet"]


def test_writing_into_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        write_examples(tmp_path / "no" / "labels.csv", [], (SENTIMENT,))


def test_articles_are_in_order_of_appearance_and_their_sentences_in_order_of_index():
    examples = [Example(article, index, "It rained.", {}) for article, index in [("b", 2), ("a", 0), ("b", 1)]]
    assert [[e.key for e in article] for article in group_articles(examples)] == [[("b", 1), ("b", 2)], [("a", 0)]]
