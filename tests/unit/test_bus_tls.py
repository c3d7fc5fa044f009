"""Settings for TLS with NATS that cannot be right stop the start, and say why."""

from pathlib import Path

import pytest

from services.transcoder.settings import TranscoderSettings
from shared.settings import SettingsError
from stack.certificates import CA, CERTIFICATE, KEY, make_certificates

MINIMAL = {"MILLRACE_SEAL_KEYS": "A" * 43 + "="}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def read(**settings: Path) -> TranscoderSettings:
    given = {f"MILLRACE_NATS_TLS_{name.upper()}": str(value) for name, value in settings.items()}
    return TranscoderSettings.from_environment(MINIMAL | given)


def test_files_that_fit_are_taken(files: Path) -> None:
    tls = read(ca=files / CA, cert=files / CERTIFICATE, key=files / KEY).nats_tls
    assert (tls.ca, tls.cert, tls.key, tls.first) == (files / CA, files / CERTIFICATE, files / KEY, False)
    assert tls.options()["tls_handshake_first"] is False
    assert TranscoderSettings.from_environment(MINIMAL).nats_tls.options() == {}


def test_files_that_do_not_fit_are_refused(files: Path, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    make_certificates(tmp_path)
    for ca in (tmp_path / "missing.pem", rubbish, files / KEY):
        with pytest.raises(SettingsError, match=r"^MILLRACE_NATS_TLS_CA: .*cannot be read as certificates"):
            read(ca=ca)
    with pytest.raises(SettingsError, match=r"^MILLRACE_NATS_TLS_KEY: .*MILLRACE_NATS_TLS_CERT is missing"):
        read(key=files / KEY)
    for key in (rubbish, tmp_path / KEY, tmp_path / "missing.key"):
        with pytest.raises(SettingsError, match=r"^MILLRACE_NATS_TLS_KEY: .*cannot be read as a pair"):
            read(cert=files / CERTIFICATE, key=key)


def test_the_key_of_a_server_is_for_its_owner_alone(files: Path) -> None:
    assert (files / KEY).stat().st_mode & 0o777 == 0o600
