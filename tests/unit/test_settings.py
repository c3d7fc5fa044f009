"""Settings from the environment: typed, frozen, and nothing is silently ignored."""

import base64
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from services.api.settings import ApiSettings
from services.transcoder.settings import TranscoderSettings
from services.uploader.settings import UploaderSettings
from shared.settings import (
    PREFIX,
    SERVICES,
    UNPREFIXED,
    CommonSettings,
    SealingSettings,
    SettingsError,
    decode_keys,
    settings_or_exit,
    variables,
)

KEY = base64.b64encode(bytes(range(32))).decode()
MINIMAL = {"MILLRACE_SEAL_KEYS": KEY}


def models() -> list[type[CommonSettings]]:
    """The settings of all services."""
    found = []
    for service in SERVICES:
        module = import_module(f"services.{service}.settings")
        own = [
            model
            for _, model in getmembers(module, isclass)
            if issubclass(model, CommonSettings) and "service" in vars(model)
        ]
        assert len(own) == 1, f"services.{service}.settings has {len(own)} settings models"
        found += own
    return found


def test_own_settings_carry_the_name_of_the_service_and_common_ones_do_not() -> None:
    environ = MINIMAL | {
        "MILLRACE_TRANSCODER_SLOTS": "3",
        "MILLRACE_TRANSCODER_STALL_SECONDS": "12.5",
        "MILLRACE_NATS_URL": "nats://user:pass@bus:4222",
        "PATH": "/usr/bin",
    }
    settings = TranscoderSettings.from_environment(environ)
    assert (settings.slots, settings.stall_seconds) == (3, 12.5)
    assert settings.nats_url.get_secret_value() == "nats://user:pass@bus:4222"


def test_defaults_are_valid_and_nothing_can_be_changed() -> None:
    settings = TranscoderSettings.from_environment(MINIMAL)
    assert settings.slots >= 1
    with pytest.raises(ValidationError):
        settings.slots = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    "name",
    ["MILLRACE_LEASE_SECOND", "MILLRACE_TRANSCODER_SLOT", "MILLRACE_SLOTS", "MILLRACE_", "MILLRACE_TRANSCODERS_SLOTS"],
)
def test_an_unknown_variable_stops_the_start_and_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: no such setting$"):
        TranscoderSettings.from_environment(MINIMAL | {name: "1"})


def test_settings_of_other_services_are_let_pass() -> None:
    TranscoderSettings.from_environment(MINIMAL | {"MILLRACE_API_PORT": "8080", "MILLRACE_FETCHER_ANYTHING": "x"})


def test_settings_of_the_python_client_are_let_pass() -> None:
    given = {
        "MILLRACE_API_URL": "http://127.0.0.1",
        "MILLRACE_ORG": "a1b2c3",
        "MILLRACE_TOKEN": "t",
        "MILLRACE_PASSWORD": "p",
    }
    TranscoderSettings.from_environment(MINIMAL | given)


def test_the_length_of_leases_is_a_setting_of_the_api_without_its_name() -> None:
    environ = MINIMAL | {"MILLRACE_LEASE_SECONDS": "5"}
    TranscoderSettings.from_environment(environ)
    assert "lease_seconds" not in TranscoderSettings.model_fields
    api = ApiSettings.from_environment(
        environ | {"MILLRACE_API_DATABASE_URL": "postgresql://millrace@127.0.0.1/millrace"}
    )
    assert api.lease_seconds == 5
    with pytest.raises(SettingsError, match="MILLRACE_API_LEASE_SECONDS: no such setting"):
        ApiSettings.from_environment(MINIMAL | {"MILLRACE_API_LEASE_SECONDS": "5"})


def test_a_wrong_value_is_named_but_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        UploaderSettings.from_environment({"MILLRACE_SEAL_KEYS": "topsecret", "MILLRACE_UPLOADER_SLOTS": "many"})
    text = str(caught.value)
    assert "MILLRACE_SEAL_KEYS: " in text
    assert "MILLRACE_UPLOADER_SLOTS: " in text
    assert "topsecret" not in text
    assert caught.value.__cause__ is None


def test_a_missing_value_is_named() -> None:
    with pytest.raises(SettingsError, match="MILLRACE_SEAL_KEYS: Field required"):
        UploaderSettings.from_environment({})


def test_the_end_of_a_process_that_cannot_start_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MILLRACE_SEAL_KEYS", KEY)
    monkeypatch.setenv("MILLRACE_TYPO", "1")
    with pytest.raises(SystemExit) as caught:
        settings_or_exit(TranscoderSettings)
    assert caught.value.code == 2
    assert capsys.readouterr().err == "transcoder cannot start:\nMILLRACE_TYPO: no such setting\n"


def test_an_empty_path_means_the_default() -> None:
    settings = TranscoderSettings.from_environment(
        MINIMAL | {"MILLRACE_FFMPEG": "", "MILLRACE_FFPROBE": "/opt/ffprobe"}
    )
    assert (settings.ffmpeg, settings.ffprobe) == (None, Path("/opt/ffprobe"))


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    for beside in ({}, {"MILLRACE_SEAL_KEYS": ""}):
        settings = UploaderSettings.from_environment({"MILLRACE_SEAL_KEYS_FILE": str(file)} | beside)
        assert settings.seal_keys.get_secret_value() == KEY
    # An empty one is none, as in an env file that has a line for it.
    UploaderSettings.from_environment(MINIMAL | {"MILLRACE_SEAL_KEYS_FILE": ""})


def test_a_file_with_a_secret_that_does_not_work_out_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(SettingsError, match=r"^MILLRACE_SEAL_KEYS_FILE: the file cannot be read: FileNotFoundError$"):
        UploaderSettings.from_environment({"MILLRACE_SEAL_KEYS_FILE": missing})
    with pytest.raises(SettingsError, match=r"^MILLRACE_SEAL_KEYS_FILE: MILLRACE_SEAL_KEYS is set as well$"):
        UploaderSettings.from_environment(MINIMAL | {"MILLRACE_SEAL_KEYS_FILE": missing})
    with pytest.raises(SettingsError, match=r"^MILLRACE_LOG_LEVEL_FILE: no such setting$"):
        UploaderSettings.from_environment(MINIMAL | {"MILLRACE_LOG_LEVEL_FILE": missing})


def test_the_transcoder_has_no_sealing_keys_even_if_it_is_given_them() -> None:
    for given in (MINIMAL, {"MILLRACE_SEAL_KEYS_FILE": "/run/secrets/seal-keys"}):
        assert KEY not in repr(TranscoderSettings.from_environment(given).model_dump())
    others = set(models()) - {TranscoderSettings}
    assert len(others) == len(SERVICES) - 1
    assert all(issubclass(model, SealingSettings) for model in others)
    assert not issubclass(TranscoderSettings, SealingSettings)


def test_secrets_do_not_show() -> None:
    settings = TranscoderSettings.from_environment(MINIMAL | {"MILLRACE_NATS_URL": "nats://user:hunter2@bus"})
    assert "hunter2" not in f"{settings!r} {settings}"
    assert KEY not in f"{settings!r} {settings}"


def test_keys_are_separated_by_commas_and_the_first_one_seals() -> None:
    other = base64.b64encode(bytes(32)).decode()
    assert decode_keys(SecretStr(f"{KEY}, {other}")) == [bytes(range(32)), bytes(32)]


@pytest.mark.parametrize("text", ["", "abc", base64.b64encode(bytes(16)).decode(), f"{KEY},", f"{KEY};{KEY}"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        decode_keys(SecretStr(text))


@pytest.mark.parametrize("model", models(), ids=lambda model: str(model.service))
def test_every_setting_is_described_and_typed(model: type[CommonSettings]) -> None:
    assert model.model_config.get("frozen")
    assert all(field.description for field in model.model_fields.values())
    for name, field in variables(model).items():
        common = field in CommonSettings.model_fields or field in UNPREFIXED
        assert name == PREFIX + ("" if common else f"{model.service}_").upper() + field.upper()
