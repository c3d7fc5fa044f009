"""The page of the API in a browser: Swagger UI runs under the policy, asks nobody else, and calls the API."""

from pathlib import Path

from services.api.http.openapi import document
from services.api.http.operations import OPERATIONS
from tests.support.player import browse_documentation, require_player
from tests.support.stack import RunningStack


async def test_the_api_is_called_from_its_page(stack: RunningStack, tmp_path: Path) -> None:
    require_player()
    env = stack.env
    report = await browse_documentation(
        f"{env['API_URL']}/docs/", tmp_path / "docs.png", org=env["ORG_ID"], token=env["API_TOKEN"]
    )
    # What the api is called with, and what it calls.
    assert report["operations"] == len(OPERATIONS) + len(document()["webhooks"])
    # The token was given without its scheme.
    assert report["status"] == 200 and f"Authorization: Token {env['API_TOKEN']}" in report["curl"]
    assert report["complaints"] == []
    assert [url for url in report["requests"] if not url.startswith((env["API_URL"], "data:"))] == []
