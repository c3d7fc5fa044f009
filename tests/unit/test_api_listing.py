"""Query parameters of lists, and pages."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest

from services.api.contract.errors import ApiError, Invalid, NotFound
from services.api.contract.listing import (
    JobFilter,
    Window,
    page_json,
    read_count_query,
    read_fields,
    read_job_query,
    read_window,
)


def read(query: str) -> tuple[JobFilter, Window]:
    return read_job_query(parse_qsl(query, keep_blank_values=True))[:2]


def problems(query: str) -> dict[str, object]:
    with pytest.raises(ApiError) as caught:
        read(query)
    assert isinstance(caught.value, Invalid)
    return dict(caught.value.body)


def test_without_parameters_the_newest_twenty() -> None:
    assert read("") == (JobFilter(), Window(1, 20))
    assert JobFilter().newest_first


def test_all_filters() -> None:
    query = "search=Holiday+2024&status=Queued&status=ERROR&status=queued&enable_drm=True&created_from=2026-01-31&created_to=2026-02-01T10:00:00Z"
    wanted, window = read(query + "&ordering=created&page=3&page_size=100")
    assert wanted == JobFilter(
        statuses=("queued", "error"),
        search="Holiday 2024",
        enable_drm=True,
        created_from=datetime(2026, 1, 31, tzinfo=UTC),
        created_to=datetime(2026, 2, 1, 10, tzinfo=UTC),
        newest_first=False,
    )
    assert (window.page, window.size, window.offset) == (3, 100, 200)
    assert read("enable_drm=false")[0].enable_drm is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)),
        ("2026-01-31T12:30:00.5Z", datetime(2026, 1, 31, 12, 30, 0, 500000, UTC)),
        ("2026-01-31T12:30:00%2B02:00", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("2026-01-31T12:30:00+02:00", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("2026-01-31 12:30", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31T12:30:00-05:00", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
    ],
)
def test_times_and_dates_a_date_counts_to_its_end(text: str, expected: datetime) -> None:
    assert read(f"created_to={text}")[0].created_to == expected


@pytest.mark.parametrize(
    "query",
    [
        "stauts=queued", "status=done", "status=", "enable_drm=1", "enable_drm=", "created_from=yesterday",
        "created_from=2026-13-01", "created_to=20260131", "created_to=1769862600", "created_from=0001-01-01T00:00:00%2B14:00",
        "ordering=id", "ordering=created&ordering=created", "page=0", "page=-1", "page=x", "page=1.5", "page=99999999999",
        "fields=", "fields=state", "fields=id,,status", "fields=id&fields=status", "search=", "search=%20-%2F!", "search=a%00b", "search=" + 201 * "a", "search=a&search=b",
        "page=1&page=2", "page=%D9%A3", "page_size=0", "page_size=101",
    ],
)  # fmt: skip
def test_what_is_unknown_or_malformed_is_named(query: str) -> None:
    assert list(problems(query)) == [query.partition("=")[0]]


def test_everything_wrong_is_told_at_once() -> None:
    assert problems("stat=queued&status=foo&page=0") == {
        "stat": ['Unknown parameter. Did you mean "status"?'],
        "status": ['"foo" is not a valid choice.', "Choose from queued, transcoding, completed, error, cancelled."],
        "page": ["Must be from 1 to 1000000000."],
    }


def test_counts_take_the_filters_but_the_status() -> None:
    assert read_count_query([("search", "é"), ("enable_drm", "true")]) == JobFilter(search="é", enable_drm=True)
    for name, value in (("status", "1"), ("ordering", "1"), ("page", "1"), ("page_size", "1"), ("search", "a\ud800")):
        with pytest.raises(Invalid):
            read_count_query([(name, value)])


def test_members_to_show() -> None:
    assert read_job_query([("fields", "status,id")])[2] == frozenset({"id", "status"})
    assert read_fields([("fields", "id,status"), ("t", "1")]) == frozenset({"id", "status"})
    assert read_job_query([])[2] is read_fields([("t", "1")]) is None
    with pytest.raises(Invalid) as caught:
        read_fields([("fields", "id,state")])
    assert str(dict(caught.value.body)["fields"]).startswith('[\'"state" is not a valid choice. Choose from id, type, ')


def test_other_lists_know_only_pages() -> None:
    assert read_window([("page", "2")]) == Window(2, 20)
    with pytest.raises(ApiError):
        read_window([("status", "queued")])


def test_links_keep_the_filters() -> None:
    parameters = [("status", "queued"), ("status", "error"), ("page", "2"), ("created_to", "2026-01-31T00:00:00+01:00")]
    text = page_json(['{"a": 1}'], count=3, window=Window(2, 1), parameters=parameters, base="http://host/list/")
    page = json.loads(text)
    kept = "status=queued&status=error&created_to=2026-01-31T00%3A00%3A00%2B01%3A00"
    assert page == {
        "count": 3,
        "next": f"http://host/list/?{kept}&page=3",
        "previous": f"http://host/list/?{kept}&page=1",
        "results": [{"a": 1}],
    }


def test_the_first_and_the_last_page() -> None:
    only = json.loads(page_json([], count=0, window=Window(), parameters=[], base="http://host/"))
    assert only == {"count": 0, "next": None, "previous": None, "results": []}
    last = json.loads(page_json(["1"], count=3, window=Window(3, 1), parameters=[("page", "3")], base='http://ho"st/'))
    assert (last["next"], last["previous"]) == (None, 'http://ho"st/?page=2')
    with pytest.raises(ApiError) as caught:
        page_json([], count=3, window=Window(4, 1), parameters=[], base="http://host/")
    assert (type(caught.value), caught.value.body) == (NotFound, {"detail": "Invalid page."})
