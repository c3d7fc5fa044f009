"""Traces: contexts as they travel, spans, and an export that is never in the way."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError
from shared.tracing.context import TraceContext, in_ratio, read_context
from shared.tracing.otlp import traces_url
from shared.tracing.recorder import MOST_AT_ONCE, MOST_WAITING, QueueRecorder
from shared.tracing.spans import Span, context_within, current, entered, recording_with, span, trace_headers, work_span
from tests.support.spans import KeptSpans

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kept() -> Iterator[KeptSpans]:
    recorder = KeptSpans()
    with recording_with(recorder):
        yield recorder


def _context(text: str) -> TraceContext:
    found = read_context({"traceparent": text})
    assert found
    return found


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_a_context_is_read_as_it_was_written(trace: int, span_id: int, sampled: bool) -> None:
    context = TraceContext(trace, span_id, sampled)
    assert read_context({"traceparent": context.traceparent}) == context


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        GIVEN.upper(),
        GIVEN + "-more",
        "ff" + GIVEN[2:],
        GIVEN.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        GIVEN.replace("b7ad6b7169203331", "0" * 16),
        GIVEN + "\r\nX: y",
    ],
)
def test_what_is_no_context_is_none(text: str) -> None:
    assert read_context({"traceparent": text}) is None
    assert read_context(None) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert _context("01" + GIVEN[2:] + "-more").span_hex == "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        (" congo=a b ,\t, t@vendor=c ", "congo=a b,t@vendor=c"),
        ("Upper=1", ""),
        ("congo=1,rojo", ""),
        ("congo=1\r\nX: y", ""),
        ("congo=\u00e4", ""),
        (",".join(f"k{number}=v" for number in range(40)), ",".join(f"k{number}=v" for number in range(32))),
        (f"a=1,b={'x' * 250},c={'y' * 250},d=2", f"a=1,b={'x' * 250},c={'y' * 250}"),
        (f"a=1,b={'x' * 250},c={'y' * 256}", f"a=1,b={'x' * 250}"),
    ],
)
def test_what_others_have_put_there_is_passed_on(sent: str, kept: str) -> None:
    context = read_context({"traceparent": GIVEN, "tracestate": sent})
    assert context
    assert context.state == kept
    assert read_context(context.headers) == context
    with span("request", "server", parent=context):
        assert trace_headers() == context.headers
    recorder = KeptSpans()
    with recording_with(recorder), span("request", "server", parent=context):
        assert trace_headers().get("tracestate", "") == kept
        with entered(work_span("process", {}, current(), "JOBS 7 transcoder")):
            assert trace_headers().get("tracestate", "") == kept
    assert read_context({"tracestate": sent}) is None


def test_a_derived_span_is_the_same_for_all_who_ask_and_differs_by_name() -> None:
    context = _context(GIVEN)
    again = TraceContext(context.trace_id, 77)
    assert context.derived("JOBS 7 transcoder") == again.derived("JOBS 7 transcoder")
    assert context.derived("JOBS 7 transcoder") != context.derived("JOBS 8 transcoder")


def test_about_the_share_that_is_asked_for_is_sampled() -> None:
    sampled = sum(TraceContext.root(0.25).sampled for _ in range(4000))
    assert 800 < sampled < 1200
    assert in_ratio(2**64 - 1, 1.0)
    assert not in_ratio(0, 0.0)


def test_spans_within_each_other_are_of_one_trace(kept: KeptSpans) -> None:
    with span("outer", "server", {"a": 1}) as outer:
        assert trace_headers() == {"traceparent": outer.context.traceparent}
        with span("inner"):
            pass
    assert current() is None
    inner, found = kept.spans
    assert found is outer
    assert found.parent is None
    assert inner.parent == outer.context
    assert found.begun <= inner.begun <= inner.ended <= found.ended


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (PermanentError("input_empty", "https://secret.example.com"), "input_empty"),
        (KeyError("secret"), "KeyError"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
def test_an_error_is_named_by_its_code_and_never_by_its_text(kept: KeptSpans, error: BaseException, named: str) -> None:
    with pytest.raises(type(error)), span("work"):
        raise error
    assert kept.spans[0].error == named
    assert "secret" not in str(kept.spans[0])


def test_without_a_recorder_the_context_is_passed_on_as_it_is() -> None:
    with span("request", "server", parent=_context(GIVEN)), span("inner"):
        assert trace_headers() == {"traceparent": GIVEN}
    with span("request", "server"):
        assert trace_headers() == {}


def test_of_an_unsampled_trace_nothing_is_recorded_and_the_context_goes_on(kept: KeptSpans) -> None:
    with span("request", "server", parent=_context(GIVEN[:-2] + "00")):
        assert trace_headers()["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert trace_headers()["traceparent"].endswith("-00")
    assert kept.spans == []


def test_a_client_gets_no_more_traces_than_the_operator_wants() -> None:
    recorder = KeptSpans(ratio=0.0)
    with recording_with(recorder), span("request", "server", parent=_context(GIVEN)):
        assert trace_headers()["traceparent"].endswith("-00")
    assert recorder.spans == []


def test_messages_name_the_work_that_they_are_published_in_and_not_a_part_of_it(kept: KeptSpans) -> None:
    work = work_span("process", {}, _context(GIVEN), "JOBS 7 transcoder")
    with entered(work), span("finish") as inner:
        assert context_within() == context_within(_context(GIVEN)) == work.context
        assert inner.parent == work.context
        assert trace_headers() == {"traceparent": inner.context.traceparent}
    assert work.context == _context(GIVEN).derived("JOBS 7 transcoder")


def test_a_message_is_of_the_trace_that_it_belongs_to(kept: KeptSpans) -> None:
    job = _context(GIVEN)
    with span("DELETE", "server") as deleting:
        assert context_within(job) == job
        assert context_within(None) == deleting.context
    assert kept.spans[0].links == [job]
    with span("process", "consumer", parent=job) as working:
        assert context_within(job) == working.context
    assert kept.spans[1].links == []
    assert context_within(job) == job


class Slow:
    """An exporter that does as it is told, batch by batch; once it may go on, it goes on."""

    def __init__(self, answer: Callable[[], bool] = lambda: True) -> None:
        self.go_on = threading.Event()
        self.batches: list[int] = []
        self.closed = False
        self._answer = answer

    def export(self, spans: Sequence[Span]) -> bool:
        self.go_on.wait(60)
        arrived = self._answer()
        self.batches.append(len(spans))
        return arrived

    def close(self) -> None:
        self.closed = True


def _some(count: int) -> list[Span]:
    return [Span("x", "internal", TraceContext(1, number + 1)) for number in range(count)]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_exporter_that_hangs_costs_no_more_than_the_queue_and_is_told_of_in_numbers() -> None:
    exporter = Slow()
    recorder = QueueRecorder(exporter, pause=0.001)
    for one in _some(MOST_WAITING + MOST_AT_ONCE + 100):
        recorder.record(one)
    assert 100 <= recorder.dropped <= 100 + MOST_AT_ONCE
    exporter.go_on.set()
    recorder.close(20)
    assert sum(exporter.batches) + recorder.dropped == MOST_WAITING + MOST_AT_ONCE + 100
    assert max(exporter.batches) <= MOST_AT_ONCE
    assert exporter.closed


def test_the_end_of_a_process_does_not_wait_for_an_exporter_that_hangs() -> None:
    exporter = Slow()
    recorder = QueueRecorder(exporter, pause=0.001)
    recorder.record(_some(1)[0])
    recorder.close(0.05)
    assert exporter.closed
    assert exporter.batches == []
    exporter.go_on.set()


def test_an_outage_of_the_collector_is_logged_once_and_its_end_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, Mapping[str, object]]] = []

    class Log:
        def warning(self, event: str, **values: object) -> None:
            lines.append((event, values))

        info = debug = warning

    monkeypatch.setattr("shared.tracing.recorder.structlog.get_logger", Log)
    answers = iter([True, False, False, True, True])
    exporter = Slow(lambda: next(answers))
    exporter.go_on.set()
    recorder = QueueRecorder(exporter, pause=0.001)
    for number, one in enumerate(_some(5)):
        recorder.record(one)
        _until(lambda number=number: len(exporter.batches) == number + 1)  # type: ignore[misc]
    recorder.close(20)
    assert lines == [("traces not exported", {"dropped": 1}), ("traces are exported again", {"dropped": 2})]
    assert recorder.dropped == 2


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp", "https://c/otlp/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_the_path_is_added_unless_it_is_there(endpoint: str, url: str) -> None:
    assert traces_url(endpoint) == url
