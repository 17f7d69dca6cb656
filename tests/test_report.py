import base64
import csv
import hashlib
import io
import json
import re
import sys
from html.parser import HTMLParser

import pytest
from report_cases import checkpoint_folder, corpus, prediction, write

from stanceline import cli
from stanceline.errors import CheckpointError, InputError, OutputError
from stanceline.report import make_report
from stanceline.report_groups import PERIODS

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'><b>\u202egnorw\u2066 \x1b[31m'


class Page(HTMLParser):
    """The elements of a page, and the text in it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.style = [], [], "", ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "style" and not self.style:
            self.style = data
        self.text += data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    manifest = checkpoint_folder(folder / "tiny")
    return folder / "tiny", manifest.reference, write(folder / "predictions.jsonl", corpus(manifest.reference))


@pytest.fixture(scope="module")
def page(made):
    model, _, predictions = made
    return make_report(predictions, None, model=model)


def rows_of(made, path=None, **more):
    return list(csv.DictReader(io.StringIO(make_report(path or made[2], None, "csv", model=made[0], **more))))


def test_the_page_loads_nothing_and_runs_nothing(page):
    found = Page(page)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(found.tags)
    assert not [
        value for name, value in found.attributes if name in ("src", "action", "style") or name.startswith("on")
    ]
    policy = next(value for name, value in found.attributes if value and value.startswith("default-src"))
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in found.style
    assert "@import" not in found.style


def test_the_page_says_what_was_labelled_with_what_and_how_far_to_trust_it(made, page):
    text = Page(page).text
    for said in ("480", "60", made[1], "made 2025-03-01", "The dam across the Ilvara.", "language models", "English"):
        assert said in text
    assert "Dam project: a weak point. On dev the model found only 57% of neutral." in text


def test_text_of_articles_comes_out_as_text(made, tmp_path):
    hostile = [
        prediction(7, 0, HOSTILE, reference=made[1], title=HOSTILE, source=HOSTILE, date=HOSTILE, article_id=HOSTILE),
        prediction(8, 0, reference=made[1], source="=HYPERLINK(1)", labels={"dam_project": "favor"}),
    ]
    path = write(tmp_path / "<b>hostile.jsonl", hostile)
    out = make_report(path, None, model=made[0])
    found = Page(out)
    assert "alert(1)" in found.text
    assert not {"script", "img"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", out)
    assert "⟨U+202E⟩gnorw" in found.text
    markdown = make_report(path, None, "md", model=made[0])
    assert "<script" not in markdown
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", markdown)


def test_a_group_name_in_the_csv_is_no_formula(made, tmp_path):
    path = write(tmp_path / "formula.jsonl", corpus(made[1], sources=("=HYPERLINK(1)", "@SUM(1)")))
    names = {row["group"] for row in rows_of(made, path) if row["group_kind"] == "source"}
    assert names == {"'=HYPERLINK(1)", "'@SUM(1)"}


def test_markup_in_a_models_card_is_not_run(tmp_path):
    manifest = checkpoint_folder(tmp_path / "tiny", card="# Card\n\n<script>alert(1)</script>\n\n![x](http://x/y.png)")
    path = write(tmp_path / "p.jsonl", corpus(manifest.reference, articles=3))
    found = Page(make_report(path, None, model=tmp_path / "tiny"))
    assert not {"script", "img"} & set(found.tags)


def test_the_adjusted_shares_undo_the_errors_of_the_checkpoint(tmp_path):
    # Everything that is `against` is taken for `neutral` half of the time.
    confusion = {"dam_project": [[500, 0, 0, 0], [0, 250, 250, 0], [0, 0, 500, 0], [0, 0, 0, 500]]}
    manifest = checkpoint_folder(tmp_path / "tiny", confusion=confusion)
    labels = ["against"] * 2 + ["neutral"] * 2 + ["none"] * 6
    predictions = [
        prediction(article, index, reference=manifest.reference, labels={"dam_project": label})
        for article in range(40)
        for index, label in enumerate(labels)
    ]
    path = write(tmp_path / "p.jsonl", predictions)
    rows = list(csv.DictReader(io.StringIO(make_report(path, None, "csv", model=tmp_path / "tiny"))))
    share = {row["label"]: row for row in rows if row["field"] == "dam_project"}
    assert float(share["against"]["counted"]) == 0.2
    assert float(share["against"]["adjusted"]) == pytest.approx(0.4, abs=0.03)
    assert float(share["net"]["adjusted"]) == pytest.approx(-1, abs=0.05)
    # A field without dev labels has no error counts: that is said, and nothing is adjusted.
    assert all(row["adjusted"] == "" for row in rows if row["field"] == "fish_quota")
    assert "Fish quota: the checkpoint had no dev labels of it" in make_report(path, None, model=tmp_path / "tiny")


def test_predictions_of_another_checkpoint_are_refused_and_counted_only_on_demand(made, tmp_path):
    path = write(tmp_path / "p.jsonl", corpus("other@123", articles=12))
    with pytest.raises(CheckpointError, match=r"predictions of other@123, but the checkpoint is tiny@.*--no-adjust"):
        make_report(path, None, model=made[0])
    text = make_report(path, None, adjust=False, model="no/such/folder")
    assert "plain counts" in text
    assert "Adjusted" not in text
    assert "other@123" in text


def test_predictions_of_two_checkpoints_are_refused(made, tmp_path):
    rows = [prediction(0, 0, reference=made[1]), prediction(0, 1, reference="other@123")]
    with pytest.raises(CheckpointError, match="other@123"):
        make_report(write(tmp_path / "p.jsonl", rows), None, model=made[0])


def test_the_same_input_gives_the_same_bytes(made, page):
    assert make_report(made[2], None, model=made[0]) == page


def test_jsonl_csv_and_parquet_give_the_same_figures(made, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [json.loads(line) for line in made[2].read_text().splitlines()]
    with (tmp_path / "p.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    expected = rows_of(made)
    assert rows_of(made, tmp_path / "p.csv") == expected
    assert rows_of(made, tmp_path / "p.parquet") == expected


def test_shares_in_the_csv_sum_to_one_in_every_group(made):
    sums = {}
    for row in rows_of(made):
        if row["label"] != "net" and row["adjusted"]:
            sums.setdefault((row["field"], row["group"]), []).append(float(row["adjusted"]))
    assert len(sums) > 6
    assert all(sum(shares) == pytest.approx(1, abs=0.001) for shares in sums.values())


def test_markdown_has_the_tables_and_the_sentences(made):
    text = make_report(made[2], None, "md", model=made[0])
    assert "| label | counted | counted share | adjusted share | 95% interval |" in text
    assert "| Ilvara Post | 240 | 30 |" in text
    assert "### Most surely against" in text
    assert "article-" in text


def test_fields_are_found_from_the_columns(tmp_path):
    rows = [prediction(i, 0, fields={"toll_road": "favor"}, reference="x@1") for i in range(12)]
    text = make_report(write(tmp_path / "p.jsonl", rows), None, adjust=False)
    assert "Stance toward toll road" in Page(text).text
    assert "Sentiment" not in text


def test_without_sources_and_dates_there_are_no_such_sections(made, tmp_path):
    path = write(tmp_path / "p.jsonl", corpus(made[1], articles=12, sources=(), years=()))
    text = make_report(path, None, model=made[0])
    assert "By source" not in text
    assert "Over time" not in text


def test_few_sentences_are_said_to_be_few_instead_of_drawn(made, tmp_path):
    text = Page(make_report(write(tmp_path / "p.jsonl", corpus(made[1], articles=4)), None, model=made[0])).text
    assert "This is little: 32 sentences in 4 articles." in text
    assert "Too few for an estimate. Counted:" in text
    assert "Too few sentences to tell a change over time" in text
    assert "the pale lines" not in text


def test_small_sources_are_summed_up(made, tmp_path):
    sources = ("Ilvara Post",) * 20 + tuple(f"Leaflet {number}" for number in range(20))
    rows = rows_of(made, write(tmp_path / "p.jsonl", corpus(made[1], articles=40, sources=sources)))
    groups = {row["group"]: int(row["sentences"]) for row in rows if row["group_kind"] == "source"}
    assert groups == {"Ilvara Post": 160, "20 other sources": 160}


@pytest.mark.parametrize(
    ("years", "articles", "unit"), [((2022,), 400, "month"), ((2022,), 60, "quarter"), ((2021, 2022), 30, "year")]
)
def test_periods_are_the_finest_that_leave_enough_sentences(made, tmp_path, years, articles, unit):
    rows = rows_of(made, write(tmp_path / "p.jsonl", corpus(made[1], articles=articles, years=years)))
    assert {row["group_kind"] for row in rows} == {"all", "source", unit}
    assert len({row["group"] for row in rows if row["group_kind"] == unit}) <= PERIODS


def test_dates_of_another_form_are_left_out_and_counted(made, tmp_path):
    dates = ["2023-02-31", "11 May 2023", "", "2023-05-11T10:00:00Z", "2023-06-02"]
    rows = [prediction(i, 0, reference=made[1], date=date) for i, date in enumerate(dates)]
    rows += [prediction(9, 0, reference=made[1], date="2024-01")]
    text = Page(make_report(write(tmp_path / "p.jsonl", rows), None, model=made[0])).text
    assert "3 sentences have no date of the form YYYY-MM-DD and are left out here." in text


def test_the_lists_hold_each_text_once_the_surest_first(made, tmp_path):
    rows = [
        prediction(i, 0, "The dam is a blessing.", reference=made[1], labels={"dam_project": "favor"}, sure=0.9)
        for i in range(30)
    ]
    rows.append(prediction(40, 0, "Build it.", reference=made[1], labels={"dam_project": "favor"}, sure=0.95))
    text = make_report(write(tmp_path / "p.jsonl", rows), None, "md", model=made[0])
    favoured = text.split("### Most surely favor\n")[1].split("###")[0]
    assert [line[:12] for line in favoured.split("\n") if line.startswith("- ")] == ["- Build it. ", "- The dam is"]


def test_a_selection_of_articles_is_said_to_be_one(made, page):
    assert "A selection: of 60 articles the 20 with the most sentences that take a side." in Page(page).text
    few = Page(make_report(made[2], None, model=made[0], max_articles=3))
    assert few.attributes.count(("class", "article")) == 3 + 1  # and the card
    assert 'id="articles"' not in make_report(made[2], None, model=made[0], max_articles=0)


def test_a_long_article_and_a_long_sentence_are_cut_and_said_to_be(made, tmp_path):
    rows = [prediction(0, index, reference=made[1]) for index in reversed(range(950))]
    rows.append(prediction(1, 0, "x" * 5000, reference=made[1]))
    text = Page(make_report(write(tmp_path / "p.jsonl", rows), None, model=made[0])).text
    assert "The first 200 of 950 sentences." in text
    assert "Sentence 0 of 0." in text
    assert "(4,300 more characters)" in text


def test_a_sentence_that_stands_twice_is_refused(made, tmp_path):
    rows = [prediction(0, 0, reference=made[1]), prediction(0, 0, reference=made[1])]
    with pytest.raises(InputError, match=r"line 2: sentence 0 of article 'article-0' stands twice"):
        make_report(write(tmp_path / "p.jsonl", rows), None, model=made[0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no predictions"),
        ("{", "line 1: is not JSON"),
        ('{"article_id": "a", "sentence_index": 0, "text": "t", "dam_project": "favor"}\n', "no column"),
    ],
)
def test_what_holds_no_predictions_is_refused(tmp_path, content, said):
    (tmp_path / "p.jsonl").write_text(content)
    with pytest.raises(InputError, match=said):
        make_report(tmp_path / "p.jsonl", None, adjust=False)


def test_an_output_is_replaced_only_when_told_to(made, tmp_path):
    output = tmp_path / "report.html"
    output.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        make_report(made[2], output, model=made[0])
    assert output.read_text() == "mine"
    make_report(made[2], output, model=made[0], force=True)
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(OutputError, match="the predictions themselves"):
        make_report(made[2], made[2], model=made[0], force=True)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["stanceline", "report", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_the_command_takes_the_format_from_the_outputs_ending(made, tmp_path, monkeypatch, capsys):
    for name, start in (("r.html", "<!doctype html>"), ("r.md", "# Stance report"), ("r.csv", "field,group_kind")):
        assert run(monkeypatch, made[2], "--model", made[0], "-o", tmp_path / name, "--quiet") == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    capsys.readouterr()
    assert run(monkeypatch, made[2], "--model", made[0], "-o", "-", "--format", "csv") == 0
    assert capsys.readouterr().out.startswith("field,group_kind")


def test_what_goes_wrong_is_one_line_and_status_1(made, tmp_path, monkeypatch, capsys):
    for arguments in (
        (tmp_path / "nowhere.jsonl", "-o", tmp_path / "r.html"),
        (made[2], "-o", tmp_path / "no" / "r.html"),
        (made[2], "-o", tmp_path / "r.html", "--model", tmp_path / "gone"),
    ):
        assert run(monkeypatch, *arguments) == 1
        said = capsys.readouterr().err
        assert said.startswith("stanceline: ")
        assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
