"""Bus users: their names and rights, requests for replays, and the keys that they are signed with."""

import json
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from services.api.admin.all_commands import app as admin
from services.api.feed.replay import MOST_BYTES, pack, position_in
from services.api.feed.signing import Issuer, claims_of, new_seed
from services.api.settings import ApiSettings
from shared.bus.permissions import ACCESS, bus_user_inbox, bus_user_permissions, inbox_prefix, permissions_of
from shared.settings import SettingsError

MINIMAL = {
    "MILLRACE_SEAL_KEYS": "A" * 43 + "=",
    "MILLRACE_API_DATABASE_URL": "postgresql://millrace:x@127.0.0.1/millrace",
}
REQUEST = {"nats": {"user_nkey": "UX", "server_id": {"id": "NX"}}}


@dataclass
class Stored:
    """A message as the log gives it out."""

    data: bytes
    sequence: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Nats-Sequence": str(self.sequence)}


def packed(*messages: Stored, more: bool = False) -> dict[str, object]:
    found: dict[str, object] = json.loads(pack(messages, 3, more=more))  # type: ignore[arg-type]
    return found


def test_an_answer_holds_events_as_they_stand_in_the_log() -> None:
    text = b'{"at": 1.50, "b":"\xc3\xa9"}'
    assert text in pack([Stored(text, 7)], 0, more=False)  # type: ignore[list-item]
    assert packed(Stored(text, 7), Stored(b"{}", 9)) == {
        "events": [{"sequence": 7, "event": json.loads(text)}, {"sequence": 9, "event": {}}],
        "last": 9,
        "more": False,
    }
    assert packed() == {"events": [], "last": 3, "more": False}


def test_what_is_no_event_is_left_out_and_passed() -> None:
    assert packed(Stored(b"rubbish", 7)) == {"events": [], "last": 7, "more": False}


def test_what_is_more_than_an_answer_holds_comes_with_the_next() -> None:
    large = json.dumps("x" * MOST_BYTES).encode()
    answer = packed(Stored(large, 7), Stored(b"{}", 8))
    assert (answer["last"], answer["more"]) == (7, True)
    answer = packed(Stored(b"{}", 7), Stored(large, 8))
    assert (answer["last"], answer["more"]) == (7, True)


@pytest.mark.parametrize(
    ("text", "after"), [(b"", 0), (b"{}", 0), (b'{"after": 17}', 17), (b'{"after": 1, "x": 2}', 1)]
)
def test_a_request_names_a_position(text: bytes, after: int) -> None:
    assert position_in(text) == after


@pytest.mark.parametrize(
    "text",
    [b"17", b"x", b'{"after": -1}', b'{"after": 1.0}', b'{"after": null}', b'{"after": 9007199254740992}', bytes(2000)],
)
def test_other_requests_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        position_in(text)


def test_an_admission_says_what_a_user_may() -> None:
    issuer = Issuer(SecretStr(new_seed()))
    answer = claims_of(issuer.admission(REQUEST, "abc123-x", bus_user_permissions("abc123", "abc123-x")))
    assert (answer["sub"], answer["aud"], answer["iss"]) == ("UX", "NX", issuer.name)
    user = claims_of(answer["nats"]["jwt"].encode())
    assert (user["sub"], user["name"], user["iss"]) == ("UX", "abc123-x", issuer.name)
    assert user["nats"]["pub"] == {"allow": ["feed.replay.abc123"]}
    assert all(".abc123." in f".{subject}" or "abc123-x" in subject for subject in user["nats"]["sub"]["allow"])
    assert "jwt" not in claims_of(issuer.refusal(REQUEST, "no"))["nats"]


@pytest.mark.parametrize("text", ["x", "SUAM", "SA", "S" * 58])
def test_a_wrong_seed_stops_the_start_and_is_not_shown(text: str) -> None:
    environment = MINIMAL | {
        "MILLRACE_API_BUS_ISSUER_SEED": text,
        "MILLRACE_API_BUS_SYSTEM_URL": "nats://api-system:x@127.0.0.1",
    }
    with pytest.raises(SettingsError, match=r"^MILLRACE_API_BUS_ISSUER_SEED: .*begins with SA") as error:
        ApiSettings.from_environment(environment)
    assert len(text) < 10 or text not in str(error.value)


def test_a_seed_wants_the_system_user_too() -> None:
    with pytest.raises(SettingsError, match=r"MILLRACE_API_BUS_SYSTEM_URL: .*is needed"):
        ApiSettings.from_environment(MINIMAL | {"MILLRACE_API_BUS_ISSUER_SEED": new_seed()})
    alone = MINIMAL | {"MILLRACE_API_BUS_SYSTEM_URL": "nats://api-system:x@127.0.0.1"}
    assert ApiSettings.from_environment(alone).bus_issuer_seed is None


def test_inboxes_of_services_are_not_those_of_bus_users() -> None:
    inboxes = {inbox_prefix(service) for service in ACCESS}
    assert len(inboxes) == len(ACCESS)
    assert not any(bus_user_inbox("abc123-x").startswith(inbox) for inbox in inboxes)
    # Names that mean something in a subject are no part of one.
    assert {inbox_prefix(user) for user in (None, "", "a.b", "*", ">", "a b")} == {"_INBOX"}


def test_only_the_api_provisions() -> None:
    for service in ACCESS:
        subjects = permissions_of(service).publish
        assert any(".CREATE." in subject for subject in subjects) == (service == "api")
        assert ">" not in subjects


def test_new_keys_are_a_pair_and_need_no_database(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The logs of this process are for other tests to read.
    monkeypatch.setattr("services.api.admin.app.configure_logs", lambda *_: None)
    # Nobody listens there.
    environment = MINIMAL | {"MILLRACE_API_DATABASE_URL": "postgresql://millrace:x@127.0.0.1:1/millrace"}
    with pytest.raises(SystemExit) as ended:
        admin(["new-bus-keys"], obj=ApiSettings.from_environment(environment))
    assert ended.value.code == 0
    made = dict(line.split("=") for line in capsys.readouterr().out.splitlines())
    assert made.keys() == {"NATS_ISSUER", "MILLRACE_API_BUS_ISSUER_SEED"}
    assert Issuer(SecretStr(made["MILLRACE_API_BUS_ISSUER_SEED"])).name == made["NATS_ISSUER"]
