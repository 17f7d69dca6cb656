"""The JSON API under `/api`, and the page that uses it."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from stanceline._version import __version__
from stanceline.errors import CheckpointError, LabelError, OutputError, StancelineError, UsageError
from stanceline.review import schemas as out
from stanceline.review.answers import Answer, Conflict
from stanceline.review.export import CONTEXT, export_jsonl
from stanceline.review.queries import SORTS, Filter, FoundSentence
from stanceline.review.session import Given, NotReadyError, Review
from stanceline.review.summary import summarize

if TYPE_CHECKING:
    from stanceline.classifier import StanceClassifier

STATIC = Path(__file__).parent / "static"
MAX_BODY = 2 * 2**20  # bytes
_BEFORE, _AFTER = 3, 1  # sentences around a question
_PAGE = 500

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": out.ErrorOut, "description": description}
    for status, description in {
        400: "Not a name of this server, or a body that is not JSON",
        401: "The token is missing",
        403: "Not from the page itself",
        404: "There is no such thing",
        409: "It contradicts what is there",
        422: "A value is not allowed",
        503: "Not ready yet",
        507: "The answer cannot be kept",
    }.items()
}
_REFUSALS[413] = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The body is too large"}
_STATUS = {NotReadyError: 503, LabelError: 409, OutputError: 507, CheckpointError: 503, UsageError: 503}

Number = Annotated[int, PathParameter(ge=1, lt=2**62)]
Offset = Annotated[int, Query(ge=0, lt=2**62)]
FieldName = Annotated[str, Query(max_length=200, description="a target, or `sentiment`")]
Annotator = Annotated[out.Name, Query()]


def create_app(
    review: Review,
    *,
    annotator: str = "",
    load_classifier: "Callable[[], StanceClassifier] | None" = None,
    on_start: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The application around a review.

    Args:
        review: What is on view.
        annotator: The name that the page starts with.
        load_classifier: Called with the first text that is to be classified.
        on_start: Called when the server accepts requests.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        on_start()
        yield

    app = FastAPI(
        title="Stanceline review",
        version=__version__,
        description="Predictions, a queue of questions, and the answers of people.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # these two load scripts from elsewhere
        redoc_url=None,
        max_body_size=MAX_BODY,
        lifespan=lifespan,
    )
    app.add_exception_handler(StancelineError, _refused)
    app.include_router(_browse_routes(review, annotator))
    app.include_router(_answer_routes(review))
    app.include_router(_classify_routes(load_classifier or _shipped_classifier))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    return app


def _browse_routes(review: Review, annotator: str) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["predictions"], responses=_REFUSALS)

    @router.get("/status")
    def status() -> out.StatusOut:
        """What is on view, and how far its index is."""
        loading = review.loading
        if loading.is_ready:
            review.sync()
        info = review.queries.info if loading.is_ready else None
        return out.StatusOut(
            is_ready=loading.is_ready,
            error=loading.error,
            sentences=loading.sentences,
            articles=info.articles if info else 0,
            fraction=loading.fraction,
            predictions=review.key,
            predictions_name=review.predictions.name,
            labels_name=review.labels.name,
            fields=[out.FieldOut.of(field) for field in review.fields],
            checkpoints=list(info.checkpoints) if info else [],
            annotator=annotator,
            codebook=review.codebook,
            random_share=review.random_share,
            conflicts=len(review.conflicts()),
            answers_elsewhere=len(review.elsewhere),
        )

    @router.get("/codebook")
    def codebook() -> out.CodebookOut:
        """What the labels mean."""
        return out.CodebookOut(version=review.codebook, text=review.codebook_text)

    @router.get("/sources")
    def sources() -> list[out.SourceOut]:
        """The sources, the largest first."""
        return [out.SourceOut(**source) for source in review.queries.sources()]

    @router.get("/articles")
    def articles(
        find: Annotated[str, Query(max_length=500)] = "",
        source: Annotated[str | None, Query()] = None,
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = 50,
    ) -> out.ArticleList:
        """Articles by title or id, in the order of the file."""
        total, found = review.queries.articles(find, source, offset, limit)
        return out.ArticleList(total=total, offset=offset, articles=[out.ArticleItem(**item) for item in found])

    @router.get("/articles/{article}")
    def article(
        article: Number, offset: Offset = 0, limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE
    ) -> out.ArticleOut:
        """An article with a page of its sentences, predictions and answers."""
        found = review.queries.article(article)
        if found is None:
            raise HTTPException(404, "there is no such article")
        page = review.queries.article_sentences(article, offset, limit)
        return out.ArticleOut(**found, offset=offset, page=_with_answers(review, page))

    _add_prediction_routes(router, review)
    return router


def _add_prediction_routes(router: APIRouter, review: Review) -> None:
    def wanted(
        field: FieldName,
        label: Annotated[str | None, Query()] = None,
        min_confidence: Annotated[float, Query(ge=0, le=1)] = 0.0,
        max_confidence: Annotated[float, Query(ge=0, le=1)] = 1.0,
        source: Annotated[str | None, Query()] = None,
        date_from: Annotated[str, Query(max_length=40)] = "",
        date_to: Annotated[str, Query(max_length=40)] = "",
        find: Annotated[str, Query(max_length=500)] = "",
        answered: Annotated[bool | None, Query()] = None,
    ) -> Filter:
        _require_field(review, field)
        return Filter(field, label, min_confidence, max_confidence, source, date_from, date_to, find, answered)

    Wanted = Annotated[Filter, Depends(wanted)]  # noqa: N806 - a type

    @router.get("/predictions")
    def predictions(
        wanted: Wanted,
        sort: Annotated[Literal[tuple(SORTS)], Query()] = "article",  # type: ignore[valid-type]
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = 50,
    ) -> out.SentencePage:
        """Sentences that a filter leaves, sorted, a page at a time."""
        total, found = review.queries.find(wanted, sort, offset, limit)
        return out.SentencePage(total=total, offset=offset, sentences=_with_answers(review, found))

    @router.get("/predictions/summary")
    def summary(wanted: Wanted) -> out.SummaryOut:
        """Shares and net stance of the sentences that a filter leaves, by source and over time."""
        rows = review.queries.label_counts(wanted)
        return out.SummaryOut.model_validate(
            summarize(rows, review.queries.field(wanted.field), review.seed), from_attributes=True
        )

    @router.get("/predictions/{sentence}")
    def prediction(sentence: Number) -> out.ContextOut:
        """One sentence at (almost) any length, with its context, predictions and answers."""
        found = _sentence(review, sentence)
        before, after = _around(review, found)
        shown = out.SentenceOut.of(found, review.standing(found.key), characters=out.FULL_TEXT)
        return out.ContextOut(sentence=shown, before=before, after=after)


def _answer_routes(review: Review) -> APIRouter:
    router = APIRouter(prefix="/api/labels", tags=["labels"], responses=_REFUSALS)

    @router.get("")
    def recent(annotator: Annotator, limit: Annotated[int, Query(ge=1, le=_PAGE)] = 50) -> out.AnswerList:
        """The last answers of a person that were not taken back, newest first."""
        review.sync()
        return out.AnswerList(answers=[out.AnswerOut.of(answer) for answer in review.recent(annotator, limit)])

    @router.get("/queue")
    def queue(
        field: FieldName,
        annotator: Annotator,
        count: Annotated[int, Query(ge=1, le=20)] = 1,
        others: Annotated[bool, Query(description="ask also about what somebody else answered")] = False,
    ) -> out.QueueOut:
        """What to answer next, least certain first with a random share, without what the model says."""
        _require_field(review, field)
        review.sync()
        items = []
        for number, selection in review.queue(field, annotator, count, others=others):
            found = _sentence(review, number)
            before, after = _around(review, found, with_predictions=False)
            asked = out.SentenceOut.of(found, with_predictions=False)
            items.append(out.QueueItem(sentence=asked, before=before, after=after, selection=selection))
        counts = review.queries.progress(field, annotator)
        del counts["queued"]
        return out.QueueOut(items=items, progress=out.ProgressOut(**counts, sentences=review.queries.info.sentences))

    @router.get("/conflicts")
    def conflicts(offset: Offset = 0, limit: Annotated[int, Query(ge=1, le=_PAGE)] = 20) -> out.ConflictPage:
        """Answers that contradict each other."""
        review.sync()
        found = review.conflicts()
        shown = _conflicts_out(review, found[offset : offset + limit])
        return out.ConflictPage(total=len(found), offset=offset, conflicts=shown)

    @router.get(
        "/export",
        response_class=Response,
        responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
    )
    def export(context: Annotated[int, Query(ge=0, le=50)] = CONTEXT) -> Response:
        """The answers as JSONL rows that `stanceline train` takes; refused while a conflict is not resolved."""
        data, exported = export_jsonl(review, context)
        headers = {
            "Content-Disposition": 'attachment; filename="labels-for-training.jsonl"',
            "X-Labelled": str(exported.labelled),
            "X-Left-Out": str(exported.left_out),
        }
        return Response(data, media_type="application/x-ndjson", headers=headers)

    @router.post("", status_code=201)
    def give(answer: out.AnswerIn) -> out.RecordedOut:
        """Records an answer. When this returns, it is on the disk."""
        if answer.predictions not in (None, review.key):
            raise HTTPException(409, "the server shows other predictions now; load the page again")
        values = answer.model_dump(exclude={"predictions"})
        return _recorded(review, review.give(Given(**{**values, "replaces": tuple(answer.replaces)})))

    @router.post("/undo", status_code=201)
    def undo(undone: out.UndoIn) -> out.RecordedOut:
        """Takes an answer back. It stays in the file, with a record that it does not count."""
        review.queries  # noqa: B018 - refuses while the index is being made
        return _recorded(review, review.undo(undone.id, undone.undoes, undone.annotator))

    return router


def _classify_routes(load: "Callable[[], StanceClassifier]") -> APIRouter:
    router = APIRouter(prefix="/api", tags=["classify"], responses=_REFUSALS)
    loaded: list[StanceClassifier] = []
    lock = Lock()

    @router.post("/classify")
    def classify(given: out.ClassifyIn) -> out.ClassifyOut:
        """Labels the sentences of a text. Nothing of it is kept."""
        with lock:  # one text at a time: the engine uses all cores as it is
            if not loaded:
                loaded.append(load())
            predictions = loaded[0].classify_text(given.text, title=given.title or None)
        sentences = [
            out.ClassifiedSentence(
                sentence_index=p.sentence_index,
                text=p.text,
                start=p.start,
                end=p.end,
                predictions={
                    name: out.FieldPredictionOut(
                        label=said.label, confidence=said.confidence, probabilities=dict(said.probabilities)
                    )
                    for name, said in p.fields.items()
                },
            )
            for p in predictions
        ]
        return out.ClassifyOut(checkpoint=loaded[0].manifest.reference, sentences=sentences)

    return router


def _shipped_classifier() -> "StanceClassifier":
    from stanceline.classifier import StanceClassifier

    return StanceClassifier.from_pretrained(device="cpu")


def _refused(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    return JSONResponse({"detail": str(error)}, status)


def _require_field(review: Review, name: str) -> None:
    if not review.queries.has_field(name):
        known = ", ".join(field.name for field in review.fields)
        raise HTTPException(404, f"no field {name!r}; there are {known}")


def _sentence(review: Review, number: int) -> FoundSentence:
    found = review.queries.sentence(number)
    if found is None:
        raise HTTPException(404, "there is no such sentence")
    return found


def _around(
    review: Review, sentence: FoundSentence, *, with_predictions: bool = True
) -> tuple[list[out.SentenceOut], list[out.SentenceOut]]:
    """The sentences before and after, none where they have nothing to do with each other."""
    near = [] if sentence.is_unrelated else review.queries.neighbours(sentence, _BEFORE, _AFTER)
    shown = [out.SentenceOut.of(other, with_predictions=with_predictions) for other in near]
    place = sum(other.sentence_index < sentence.sentence_index for other in near)
    return shown[:place], shown[place:]


def _with_answers(review: Review, found: Iterable[FoundSentence]) -> list[out.SentenceOut]:
    return [out.SentenceOut.of(sentence, review.standing(sentence.key)) for sentence in found]


def _conflicts_out(review: Review, found: Iterable[Conflict]) -> list[out.ConflictOut]:
    shown = []
    for conflict in found:
        sentence = review.queries.by_key(*conflict.sentence[:2])
        if sentence is not None and sentence.text == conflict.sentence[2]:
            shown.append(out.ConflictOut.of(conflict, sentence))
    return shown


def _recorded(review: Review, answer: Answer) -> out.RecordedOut:
    sentence = review.queries.by_key(answer.article_id, answer.sentence_index)
    if sentence is None:
        raise HTTPException(404, "the sentence of this answer is not in these predictions")
    return out.RecordedOut(
        answer=out.AnswerOut.of(answer),
        sentence=out.SentenceOut.of(sentence, review.standing(answer.sentence)),
        conflicts=_conflicts_out(review, review.conflicts_of(answer.sentence, answer.field)),
    )
