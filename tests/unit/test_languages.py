"""Languages as sources tag them, in the words of HLS and DASH."""

import pytest

from services.fetcher.plan.languages import bcp47


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("FRE", "fr"),
        ("zho", "zh"),
        ("en", "en"),
        ("iw", "he"),
        ("mo", "ro"),
        ("sh", "sr-Latn"),
        ("zh-cmn-hans", "zh-Hans"),
        ("scr", "hr"),
        ("en_us", "en-US"),
        ("por-BR", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-1996", "de-1996"),
        # No shorter code.
        ("gsw", "gsw"),
        ("fil", "fil"),
        ("zxx", "zxx"),
        ("qaa", "qaa"),
    ],
)
def test_the_shortest_code_is_taken(tag: str, language: str) -> None:
    assert bcp47(tag) == language


@pytest.mark.parametrize(
    "tag",
    [
        None,
        "",
        "und",
        "UND",
        "mis",
        "xx",
        "English",
        "e",
        "zz",
        "x-klingon",
        "en/../..",
        'en"',
        "??",
        "12",
        "en-",
        "-en",
        "e n",
        "én",
    ],
)
def test_what_says_nothing_is_no_language(tag: str | None) -> None:
    assert bcp47(tag) is None
