import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import review_cases

from stanceline.errors import InputError
from stanceline.review.index import build_index, index_key, read_info
from stanceline.review.predictions import predicted_fields, read_fields, read_predictions


def _write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_the_three_formats_give_the_same_rows(tmp_path):
    rows = review_cases.rows()
    found = []
    for suffix in (".jsonl", ".csv", ".parquet"):
        path = _write(tmp_path / f"p{suffix}", rows)
        fields = read_fields(path)
        assert [field.name for field in fields] == list(review_cases.FIELDS)
        found.append([placed.row for placed in read_predictions(path, fields)])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(rows)
    assert [row.text for row in found[0]] == [row["text"] for row in rows]


def test_fields_are_found_from_their_confidence_columns():
    columns = ["article_id", "sentence_index", "text", "tolls", "start", "tolls_confidence"]
    columns += [f"tolls_p_{label}" for label in ("favor", "against", "neutral", "none")]
    assert [field.name for field in predicted_fields([*columns, "ocr_confidence"], "p")] == ["tolls"]
    with pytest.raises(InputError, match="not tolls_p_none"):
        predicted_fields(columns[:-1], "p")
    with pytest.raises(InputError, match="no column FIELD_confidence"):
        predicted_fields(["article_id", "sentence_index", "text"], "p")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"harbour_tax": "pro"}, "'pro', not one of favor, against, neutral, none"),
        ({"harbour_tax": None}, "harbour_tax is ''"),
        ({"sentiment_confidence": 1.2}, "sentiment_confidence is 1.2"),
        ({"sentiment_p_neutral": float("nan")}, "sentiment_p_neutral is nan"),
        ({"sentence_index": -1}, "sentence_index -1"),
        ({"text": " "}, "article_id or text is empty"),
        ({"text": "half \ud800"}, "half of a surrogate pair"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, change, message):
    rows = review_cases.rows()[:3]
    rows[1] |= change
    path = _write(tmp_path / "p.jsonl", rows)
    with pytest.raises(InputError, match=r"p\.jsonl line 2: ") as error:
        list(read_predictions(path, read_fields(path)))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.jsonl", "", "holds no predictions"),
        ("p.jsonl", "{", "line 1: is not JSON"),
        ("p.jsonl", "[1]\n", "line 1: is not a JSON object"),
        ("p.csv", "article_id,text\n", "holds no predictions"),
        ("p.txt", "hello", "'.txt' is not a format"),
        ("p.parquet", "hello", "is not a Parquet file"),
    ],
)
def test_a_file_that_holds_no_predictions_is_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_fields(tmp_path / name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sentence_that_stands_twice_is_refused_and_leaves_no_index(tmp_path):
    rows = review_cases.rows()
    path = _write(tmp_path / "p.jsonl", [*rows, rows[4]])
    with pytest.raises(InputError, match=r"sentence 4 of article 'harbour-0\.txt' stands before already"):
        build_index(path, read_fields(path), tmp_path / "l.index", 0, lambda count, fraction: None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.jsonl"]


def test_an_index_belongs_to_one_state_of_one_file(tmp_path):
    path = review_cases.write(tmp_path / "p.jsonl")
    index = tmp_path / "l.index"
    built = build_index(path, read_fields(path), index, 0, lambda count, fraction: None)
    assert read_info(index) == built
    assert built.key == index_key(path, 0)
    assert (built.sentences, built.articles) == (len(review_cases.rows()), 2)
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert built.key != index_key(path, 0)
    index.write_text("not a database", encoding="utf-8")
    assert read_info(index) is None
