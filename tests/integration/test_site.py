"""The documentation as a site: it is built, every link in it leads somewhere, and nothing is loaded from elsewhere."""

from pathlib import Path

import pytest

from shared.settings import SERVICES
from tools.site.__main__ import ROOT, build
from tools.site.links import problems
from tools.site.stage import pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built site."""
    folder = tmp_path_factory.mktemp("site")
    assert build(folder) == []
    return folder / "html"


def test_every_page_is_in_it(site: Path) -> None:
    built = [site / page.with_suffix(".html") for page in pages(ROOT) if page.name != "README.md"]
    assert [path for path in built if not path.is_file()] == []
    assert (site / "index.html").is_file() and (site / "docs/decisions/index.html").is_file()


def test_the_reference_is_made_of_what_it_describes(site: Path) -> None:
    assert "millrace submit" in (site / "docs/cli.html").read_text()
    assert "feed.jobs.{org}.{job}.created" in (site / "docs/channels.html").read_text()
    assert "/transcoding_jobs/" in (site / "docs/rest/page.js").read_text()


def test_the_picture_has_a_box_for_every_service() -> None:
    picture = (ROOT / "docs/architecture.svg").read_text()
    assert [service for service in SERVICES if f">{service}" not in picture] == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#x">1</a><a href="c.html">2</a><a href="#top">3</a>'
    )
    (tmp_path / "b.html").write_text(
        '<a href="a.html#top">1</a><script src="https://example.com/x.js"></script><a href="/a.html">2</a>'
    )
    assert list(problems(tmp_path)) == [
        "a.html links to b.html#x, and there is no such heading",
        "a.html links to c.html, which is not there",
        "b.html loads https://example.com/x.js, which is elsewhere",
    ]
