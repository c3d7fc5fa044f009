"""The sealed store of content keys in PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pydantic import SecretStr

from services.api.contract.errors import Invalid, Unavailable
from services.api.contract.key_addresses import KeyAddresses
from services.api.contract.listing import Window
from services.api.database.migrate import MIGRATIONS
from services.api.database.pool import Connection, Database, close_pool, open_pool
from services.api.drm.answers import listed
from services.api.drm.contents import Contents
from services.api.drm.encryption import Encryptions, Order
from services.api.drm.providers import ProviderRules
from shared.encryption.keys import KeySet
from shared.encryption.providers import SealedStore
from shared.encryption.request import TRACKS, EncryptionRequest
from shared.sealing import Sealer
from tests.support.samples import ORG
from tests.support.schema import new_organization

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
async def database(url: str, connection: Connection) -> AsyncIterator[Database]:
    await new_organization(connection, "z9z9z9")
    pool = await open_pool(SecretStr(url), 5)
    yield Database(pool)
    await close_pool(pool)


async def test_keys_are_made_once_and_are_no_one_elses(database: Database, connection: Connection) -> None:
    contents, content_id = Contents(database, Sealer([OLD])), uuid4().hex
    made = await asyncio.gather(*(contents.content_keys(ORG, content_id) for _ in range(8)))
    assert len(set(made)) == 1
    (key,) = made[0]
    assert (key.tracks, key.kid.hex()) == ("all", content_id)
    assert (len(key.key), len(key.iv)) == (16, 16)
    assert await contents.content_keys(ORG, content_id, ("audio", "video")) == made[0]
    assert await contents.read("z9z9z9", content_id) is None
    (other,) = await contents.content_keys("z9z9z9", content_id)
    assert other.key != key.key
    assert other.iv != key.iv
    rows = repr([tuple(row) for row in await connection.fetch("select * from drm_contents")])
    for text in (key.key.hex(), key.key.decode("latin-1"), repr(key.key)[2:-1]):
        assert text not in rows
    assert key.key.hex() not in repr(made)


async def test_separate_keys_have_ids_of_their_own(database: Database) -> None:
    contents, content_id = Contents(database, Sealer([OLD])), uuid4().hex
    keys = await contents.content_keys(ORG, content_id, ("audio", "sd", "hd"))
    assert [key.tracks for key in keys] == ["audio", "sd", "hd"]
    assert len({content_id} | {key.kid.hex() for key in keys}) == 4
    assert len({key.key for key in keys} | {key.iv for key in keys}) == 6


async def test_who_comes_second_with_a_content_gets_no_keys_for_other_tracks(database: Database) -> None:
    encryptions, content_id = Encryptions(database, Sealer([OLD]), KeyAddresses(), ProviderRules()), uuid4().hex
    orders = [Order(EncryptionRequest(scheme="cbcs", keys=use), SealedStore(), content_id) for use in TRACKS]
    # Both were found good before either content had any keys.
    assert isinstance(await encryptions.keys(ORG, orders[0], content_id), KeySet)
    with pytest.raises(Invalid, match="shared"):
        await encryptions.keys(ORG, orders[1], content_id)


async def test_who_comes_second_with_a_content_gets_no_keys_for_another_scheme(database: Database) -> None:
    encryptions, content_id = Encryptions(database, Sealer([OLD]), KeyAddresses(), ProviderRules()), uuid4().hex
    cbcs, aes = EncryptionRequest(scheme="cbcs"), EncryptionRequest(scheme="aes-128", key_uri="https://example.com/key")
    orders = [Order(request, SealedStore(), content_id) for request in (cbcs, aes)]
    # Both were found good before anybody had said what the keys are for.
    await Contents(database, Sealer([OLD])).content_keys(ORG, content_id)
    assert isinstance(await encryptions.keys(ORG, orders[0], content_id), KeySet)
    with pytest.raises(Invalid, match="cbcs"):
        await encryptions.keys(ORG, orders[1], content_id)
    assert isinstance(await encryptions.keys(ORG, orders[0], content_id), KeySet)


async def test_contents_of_before_are_for_what_their_jobs_were(connection: Connection) -> None:
    """The migration, over rows of before it."""
    (migration,) = MIGRATIONS.glob("*_content_schemes.sql")
    used = {"a": ["cbcs", "cbcs"], "b": ["aes-128"], "c": ["cbcs", "aes-128"], "d": []}
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("alter table drm_contents drop column scheme")
        await _job_of_before(connection, "clear", None, None)
        for letter, schemes in used.items():
            content = letter * 32
            await connection.execute(
                "insert into drm_contents (org, content_id, keys, kids) values ($1, $2, '', '{}')", ORG, content
            )
            for number, scheme in enumerate(schemes):
                await _job_of_before(connection, f"{letter}{number}", content, scheme)
        await connection.execute(migration.read_text())
        rows = await connection.fetch("select content_id, scheme from drm_contents where keys = ''")
    finally:
        await transaction.rollback()
    found = {row["content_id"][0]: row["scheme"] for row in rows}
    assert found == {"a": "cbcs", "b": "aes-128", "c": None, "d": None}


async def _job_of_before(connection: Connection, job: str, content: str | None, scheme: str | None) -> None:
    state = json.dumps({"drm_content_id": content, "encryption": scheme and {"scheme": scheme}})
    await connection.execute(
        "insert into jobs (id, org, created, status, enable_drm, priority, admitted, last_sequence, state)"
        " values ($1, $2, now(), 'completed', true, 1, true, 1, $3)",
        job,
        ORG,
        state,
    )


async def test_a_row_opens_in_its_own_place_alone(database: Database, connection: Connection) -> None:
    contents = Contents(database, Sealer([OLD]))
    mine, yours = uuid4().hex, uuid4().hex
    await contents.content_keys(ORG, mine)
    await contents.content_keys("z9z9z9", yours)
    await connection.execute(
        "update drm_contents set keys = (select keys from drm_contents where content_id = $1) where content_id = $2",
        mine,
        yours,
    )
    with pytest.raises(Unavailable):
        await contents.read("z9z9z9", yours)
    with pytest.raises(Unavailable):
        await Contents(database, Sealer([NEW])).content_keys(ORG, mine)


async def test_pages_are_oldest_first(database: Database) -> None:
    contents = Contents(database, Sealer([OLD]))
    ids = [uuid4().hex for _ in range(3)]
    for content_id in ids:
        await contents.content_keys(ORG, content_id)
    count, page = await contents.page(ORG, Window(page=2, size=2))
    assert count == 3
    assert [content.content_id for content in page] == ids[2:]


async def test_a_content_that_no_key_opens_is_the_only_one_that_a_page_lacks(database: Database) -> None:
    await Contents(database, Sealer([OLD])).content_keys(ORG, lost := uuid4().hex)
    contents = Contents(database, Sealer([NEW]))
    keys = await contents.content_keys(ORG, found := uuid4().hex)
    count, page = await contents.page(ORG, Window(page=1, size=10))
    assert count == 2
    shown = [listed(content) for content in page]
    assert [(item.content_id, len(item.keys), bool(item.problem)) for item in shown] == [
        (lost, 0, True),
        (found, len(keys), False),
    ]
