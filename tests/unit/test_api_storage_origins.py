"""Which storages the console's pages may load from."""

import pytest

from services.api.accounts.organizations import Storage
from services.api.accounts.storage_origins import MOST_ORGANIZATIONS, StorageOrigins
from services.api.http.console import policy_of
from shared.addresses import AddressPolicy
from shared.locations import parse_s3


class Storages:
    """Those of a test, which counts how often they are asked for."""

    def __init__(self, **storages: Storage) -> None:
        self._storages = storages
        self.asked = 0

    async def whole(self, org: str) -> Storage:
        self.asked += 1
        return self._storages.get(org, Storage())


def origins(storages: Storages) -> StorageOrigins:
    return StorageOrigins(storages, policy=AddressPolicy())  # type: ignore[arg-type]


def at(parameters: str, **how: str) -> Storage:
    """A storage in the bucket ``films``."""
    return Storage(parse_s3(f"s3://films/?access_key=a&secret_key=b{parameters}", is_prefix=True), **how)


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (Storage(), ()),
        (at("&endpoint=http://127.0.0.1:9000"), ("http://127.0.0.1:9000",)),
        (at("&endpoint=https://s3.example.com&path_style=false"), ("https://films.s3.example.com",)),
        # How this server calls a storage is not how browsers do.
        (at("&endpoint=http://s3:9000", public_endpoint="https://files.example.com"), ("https://files.example.com",)),
        # AWS answers at two addresses, and sends some who come to the first one to the second.
        (at("&region=eu-west-1"), ("https://films.s3.amazonaws.com", "https://films.s3.eu-west-1.amazonaws.com")),
        (
            at("&endpoint=http://127.0.0.1:9000", playback_base_url="https://cdn.example.com/films"),
            ("https://cdn.example.com", "http://127.0.0.1:9000"),
        ),
        # Nothing that would mean something in the header comes into it.
        (Storage(playback_base_url="https://cdn.example.com;script-src *"), ()),
        (Storage(playback_base_url="https://{bucket}.cdn.example.com"), ()),
    ],
)
async def test_it_is_where_browsers_meet_the_storage(storage: Storage, expected: tuple[str, ...]) -> None:
    assert await origins(Storages(a=storage)).of(["a"]) == expected


async def test_several_organizations_may_have_one_storage_and_it_is_remembered() -> None:
    storages = Storages(a=at("&endpoint=http://s3:9000"), b=at("&endpoint=http://s3:9000"))
    asked = origins(storages)
    for _ in range(3):
        assert await asked.of(["a", "b"]) == ("http://s3:9000",)
    assert storages.asked == 2


async def test_a_policy_does_not_grow_without_end() -> None:
    storages = Storages()
    await origins(storages).of([str(number) for number in range(MOST_ORGANIZATIONS + 5)])
    assert storages.asked == MOST_ORGANIZATIONS


def test_scripts_and_styles_come_from_the_server_alone_whatever_the_storages_are() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy_of(["https://films.example.com"]).split("; "))
    assert {name for name, value in rules.items() if "films.example.com" in value} == {
        "img-src",
        "media-src",
        "connect-src",
    }
    assert rules["script-src"] == rules["style-src"] == "'self'"
