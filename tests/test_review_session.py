import itertools
import json
import multiprocessing

import pytest
import review_cases

from stanceline.errors import LabelError, OutputError, UsageError
from stanceline.label_files import read_examples
from stanceline.labels import STANCE_LABELS, Field
from stanceline.review import export_labels
from stanceline.review.queries import Filter
from stanceline.review.session import Given, Review
from stanceline.review.summary import summarize

IDS = (f"answer-{number:04}" for number in itertools.count())


@pytest.fixture
def make(tmp_path):
    opened = []

    def make(repeat=1, **options):
        path = tmp_path / "p.jsonl"
        if not path.exists():
            review_cases.write(path, repeat=repeat)
        review = Review(path, tmp_path / "l.jsonl", **options)
        opened.append(review)
        review.load()
        return review

    yield make
    for review in opened:
        review.close()


def given(label, index=0, *, annotator="ana", field="harbour_tax", article="harbour-0.txt", **others):
    return Given(next(IDS), annotator, article, index, field, label, **others)


def test_the_queue_asks_the_least_certain_first(make):
    review = make(random_share=0)
    confidences = []
    for _ in range(6):
        ((number, selection),) = review.queue("harbour_tax", "ana", 1, others=False)
        sentence = review.queries.sentence(number)
        confidences.append(sentence.predictions["harbour_tax"]["confidence"])
        assert selection == "uncertain"
        review.give(Given(next(IDS), "ana", *sentence.key[:2], "harbour_tax", "none", selection=selection))
    everything = [
        s.predictions["harbour_tax"]["confidence"]
        for s in review.queries.find(Filter("harbour_tax"), "least_certain", 0, 6)[1]
    ]
    assert confidences == everything


def test_the_random_share_is_kept_and_the_same_for_the_same_seed(make):
    review = make(repeat=5, random_share=0.25)
    picked = review.queue("night_trains", "ana", 20, others=False)
    assert len({number for number, _ in picked}) == 20
    assert [selection for _, selection in picked].count("random") == 5
    assert make(random_share=0.25).queue("night_trains", "ana", 20, others=False) == picked
    other = make(random_share=0.25, seed=1).queue("night_trains", "ana", 20, others=False)
    assert other != picked
    with pytest.raises(UsageError, match=r"random-share 1\.5"):
        make(random_share=1.5)


def test_skipped_and_bad_sentences_do_not_come_again(make):
    review = make(random_share=0)
    (skipped, _), (bad, _) = review.queue("harbour_tax", "ana", 2, others=False)
    key = review.queries.sentence(skipped).key
    review.give(Given(next(IDS), "ana", *key[:2], "harbour_tax", "skip"))
    key = review.queries.sentence(bad).key
    review.give(Given(next(IDS), "ana", *key[:2], None, "bad"))
    waiting = [number for number, _ in review.queue("harbour_tax", "ana", 20, others=False)]
    assert skipped not in waiting
    assert bad not in waiting
    others = [number for number, _ in review.queue("harbour_tax", "ben", 20, others=False)]
    assert skipped in others, "somebody else may know"
    assert bad not in others
    assert bad in [number for number, _ in review.queue("harbour_tax", "ben", 20, others=True)]


def test_an_answer_records_what_the_model_said_and_the_codebook(make, tmp_path):
    codebook = tmp_path / "codebook.md"
    codebook.write_text("favor means favor", encoding="utf-8")
    answer = make(codebook=codebook).give(given("against", blind=True, selection="random", seconds=2.5))
    (record,) = map(json.loads, (tmp_path / "l.jsonl").read_text(encoding="utf-8").splitlines())
    assert record["model"] == {"harbour_tax": {"label": "favor", "confidence": 0.35}}
    assert (record["annotator"], record["label"], record["checkpoint"]) == ("ana", "against", "tiny@0123456789ab")
    assert (record["blind"], record["selection"], record["seconds"]) == (True, "random", 2.5)
    assert record["codebook"] == answer.codebook
    assert len(record["codebook"]) == 12
    assert answer.agrees is False


def test_the_same_answer_sent_twice_counts_once(make):
    review = make()
    one = given("favor")
    assert review.give(one) == review.give(one)
    assert len(review.labels.read_text(encoding="utf-8").splitlines()) == 1
    with pytest.raises(LabelError, match="belongs to another answer"):
        review.give(Given(one.id, "ana", "harbour-0.txt", 1, "harbour_tax", "favor"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: given("pro"), "'pro' is not an answer to harbour_tax"),
        (lambda: given("positive"), "'positive' is not an answer"),
        (lambda: given("favor", field="tolls"), "no field 'tolls'"),
        (lambda: given("favor", field=None), "needs a field"),
        (lambda: given("favor", 99), "no sentence 99"),
        (lambda: given("favor", article="elsewhere"), "of article 'elsewhere'"),
        (lambda: given("favor", replaces=("no-such-answer",)), "no answer about this sentence"),
    ],
)
def test_an_answer_about_nothing_is_refused_and_not_written(make, wrong, message):
    review = make()
    with pytest.raises(LabelError, match=message):
        review.give(wrong())
    assert not review.labels.exists()


def test_nobody_replaces_or_takes_back_anothers_answer(make):
    review = make()
    answer = review.give(given("favor"))
    with pytest.raises(LabelError, match="is an answer of ana"):
        review.give(given("none", annotator="ben", replaces=(answer.id,)))
    with pytest.raises(LabelError, match="ben gave no answer"):
        review.undo(next(IDS), answer.id, "ben")


def test_two_servers_on_one_file_see_each_others_answers_as_conflicts(make):
    one, two = make(), make()
    one.give(given("favor"))
    two.give(given("against", annotator="ben"))
    one.sync()
    for review in (one, two):
        (conflict,) = review.conflicts()
        assert [answer.label for answer in conflict.answers] == ["favor", "against"]
    ids = tuple(answer.id for answer in one.conflicts()[0].answers)
    one.give(given("neutral", annotator="cy", is_resolution=True, replaces=ids))
    two.sync()
    assert one.conflicts() == two.conflicts() == []


def _answer_many(path, labels, annotator):
    review = Review(path, labels)
    review.load()
    for index in range(12):
        review.give(Given(f"{annotator}-{index:08}", annotator, "harbour-0.txt", index, "harbour_tax", "favor"))
    review.close()


def test_two_processes_at_once_lose_nothing(tmp_path):
    path, labels = review_cases.write(tmp_path / "p.jsonl"), tmp_path / "l.jsonl"
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=_answer_many, args=(path, labels, name)) for name in ("annn", "bennn")]
    for person in people:
        person.start()
    for person in people:
        person.join(60)
    assert [person.exitcode for person in people] == [0, 0]
    ids = [json.loads(line)["id"] for line in labels.read_text(encoding="utf-8").splitlines()]
    assert sorted(ids) == sorted(f"{name}-{index:08}" for name in ("annn", "bennn") for index in range(12))


def test_the_export_is_what_train_reads_with_context(make, tmp_path):
    review = make()
    review.give(given("favor", 5))
    review.give(given("negative", 5, field="sentiment", annotator="ben"))
    review.give(given("skip", 9))
    review.give(given("bad", 11, field=None))
    output = tmp_path / "labels-for-training.jsonl"
    exported = export_labels(review.predictions, review.labels, output, context=2)
    assert (exported.labelled, exported.left_out) == (1, 0)
    table = read_examples([output], targets=("harbour_tax", "night_trains"))
    assert {example.sentence_index: dict(example.labels) for example in table.examples} == {
        3: {}, 4: {}, 5: {"harbour_tax": "favor", "sentiment": "negative"}, 6: {}, 7: {},
    }  # fmt: skip
    (labelled,) = [example for example in table.examples if example.labels]
    assert labelled.text == review_cases.HARBOUR[5]
    assert labelled.extra["annotator"] == "ana, ben"
    with pytest.raises(OutputError, match="exists already"):
        export_labels(review.predictions, review.labels, output)


def test_an_export_refuses_unresolved_conflicts_and_names_them(make, tmp_path):
    review = make()
    review.give(given("favor"))
    review.give(given("none", annotator="ben"))
    with pytest.raises(
        LabelError, match=r"1 conflict not resolved: harbour-0.txt sentence 0 harbour_tax \(ana: favor, ben: none\)"
    ):
        export_labels(review.predictions, review.labels, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_answers_stay_with_their_text_when_the_predictions_are_made_anew(make, tmp_path):
    make().give(given("favor", 2))
    rows = review_cases.rows()
    rows[2]["text"] = "Something else stands here now."
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    review = make()
    assert len(review.elsewhere) == 1
    assert review.standing(("harbour-0.txt", 2, rows[2]["text"])) == []
    with pytest.raises(LabelError, match="holds no labels"):
        export_labels(review.predictions, review.labels, tmp_path / "out.jsonl")


def test_deleting_the_index_loses_nothing(make):
    review = make()
    review.give(given("favor", 4))
    before = review.queries.progress("harbour_tax", "ana")
    review.queries.close()
    review.index_path.unlink()
    again = make()
    assert again.queries.progress("harbour_tax", "ana") == before
    assert before["answered"] == 1


def test_filters_leave_the_sentences_that_they_name(make):
    queries = make(repeat=4).queries

    def texts(**wanted):
        return [s.text for s in queries.find(Filter(**{"field": "harbour_tax", **wanted}), "article", 0, 500)[1]]

    assert texts(find="HARBOUR TAX pays") == [review_cases.HARBOUR[10]] * 4
    assert texts(find="%") == []
    assert texts(find="'; DROP") == [review_cases.HOSTILE[3]]
    assert len(texts(source="Gazette 0")) == 24
    assert len(texts(date_from="2024-02", date_to="2024-03")) == 24
    assert len(texts(date_to="2024-05")) == 48 + 7
    assert all(
        s.predictions["sentiment"]["label"] == "negative"
        for s in queries.find(Filter("sentiment", "negative"), "newest", 0, 500)[1]
    )
    certain = queries.find(Filter("harbour_tax", min_confidence=0.8, max_confidence=0.9), "most_certain", 0, 500)[1]
    confidences = [s.predictions["harbour_tax"]["confidence"] for s in certain]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences
    assert all(0.8 <= c <= 0.9 for c in confidences)


@pytest.mark.parametrize(
    ("dates", "period", "names"),
    [
        (["2024-03-01", "2024-04-30T10:00"], "day", ["2024-03-01", "2024-04-30"]),
        (["2024-03-01", "2023-03-05", "2024-03-09"], "month", ["2023-03", "2024-03"]),
        (["1996-03-01", "2024-03"], "year", ["1996", "2024"]),
        (["2024-03-01", "2024"], "year", ["2024"]),
        (["2024-13-01", "20240301", "May 2024", ""], "year", ["2024"]),
    ],
)
def test_time_is_divided_as_finely_as_the_dates_allow(dates, period, names):
    rows = [(number, "Gazette", date, "favor", 2) for number, date in enumerate(dates)]
    summary = summarize(rows, Field("harbour_tax", STANCE_LABELS), seed=0)
    assert summary.period == period
    assert [group.name for group in summary.by_time] == names
    assert summary.undated + sum(group.counts["favor"] for group in summary.by_time) == 2 * len(dates)


@pytest.mark.slow
def test_train_takes_the_export(make, tmp_path, tiny_encoder):
    from stanceline.config import Recipe
    from stanceline.labels import LabelScheme, Target
    from stanceline.training import train

    review = make(repeat=4)
    for article, index in itertools.product(range(4), range(12)):
        label = ("favor", "against", "neutral", "none")[(article + index) % 4]
        review.give(given(label, index, article=f"harbour-{article}.txt"))
    output = tmp_path / "labels-for-training.jsonl"
    export_labels(review.predictions, review.labels, output)
    examples = read_examples([output], targets=("harbour_tax",)).examples
    dev = [example for example in examples if example.article_id == "harbour-3.txt"]
    learned = [example for example in examples if example.article_id != "harbour-3.txt"]
    scheme = LabelScheme((Target("harbour_tax"),), sentiment=False)
    trained = train(
        learned, dev, scheme, base=tiny_encoder, output=tmp_path / "new", recipe=Recipe(epochs=1.0), device="cpu"
    )
    assert "harbour_tax" in trained.scores
