"""Addresses at intake: what is refused before anything is connected, and credentials that the organization's storage supplies."""

from urllib.parse import quote, urlsplit

from services.api.contract.claims import claim_of
from shared.addresses import AddressPolicy, ForbiddenAddress
from shared.errors import ERRORS
from shared.locations import S3Location, holds_bucket, parse_http, parse_s3, reject_control_characters


def check_input(text: str, *, policy: AddressPolicy) -> None:
    """Check an ``input_url``. Names are looked up, and refused, when they are fetched.

    Raises:
        ValueError: with a sentence that says what to change.
    """
    if text.startswith("s3://"):
        return check_input_path(text, policy=policy)
    parse_http(text)
    return _refuse_inner(text, ERRORS["input_forbidden_address"].message, policy=policy)


def check_input_path(text: str, *, policy: AddressPolicy) -> None:
    """Check an ``input_path``.

    Raises:
        ValueError: with a sentence that says what to change.
    """
    _check_s3(parse_s3(text, is_prefix=False), policy=policy)


def check_output(text: str, *, policy: AddressPolicy) -> None:
    """Check an ``output_path``.

    Raises:
        ValueError: with a sentence that says what to change.
    """
    location = parse_s3(text, is_prefix=True)
    if "//" in location.key:
        raise ValueError("The path must not contain empty segments (//): many storages and players cannot handle them.")
    _check_s3(location, policy=policy)


def check_webhook(text: str, *, policy: AddressPolicy) -> None:
    """Check the address of a webhook.

    Raises:
        ValueError: with a sentence that says what to change.
    """
    reject_control_characters(text)
    if not text.startswith(("http://", "https://")):
        raise ValueError("Enter a valid URL: http://… or https://…")
    parse_http(text)
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise ValueError("Leave user and password out of the URL: a delivery proves itself by its secret_token.")
    _refuse_inner(
        text,
        "The URL points at a private or loopback address, or a port of another service, which this server does not call. "
        "Use a public address, or have the operator allow the host with MILLRACE_ALLOWED_HOSTS.",
        policy=policy,
    )


def with_credentials(text: str, *, is_prefix: bool, storage: S3Location | None) -> str:
    """The address with the credentials to use: its own, else those of the organization's storage.

    The storage lends its credentials for its own bucket and, where it names a prefix, for what lies below that.

    Raises:
        ValueError: there are none for it.
    """
    given = parse_s3(text, is_prefix=is_prefix)
    if given.access_key:
        return text
    if storage is None or not storage.access_key or not storage.secret_key:
        raise ValueError(
            "Add access_key and secret_key: the organization has no storage configured that could supply them."
        )
    if given.bucket != storage.bucket or (given.endpoint and _service(given.endpoint) != _service(storage.endpoint)):
        raise ValueError(
            "Add access_key and secret_key: the storage configured for the organization is another bucket."
        )
    if storage.key and given.key != storage.key and not given.key.startswith(f"{storage.key}/"):
        raise ValueError(
            "Add access_key and secret_key: the storage configured for the organization is another prefix of the bucket."
        )
    lent = {"access_key": storage.access_key, "secret_key": storage.secret_key.get_secret_value()}
    if not given.region and storage.region:
        lent["region"] = storage.region
    if not given.endpoint and storage.endpoint:
        lent["endpoint"] = storage.endpoint
    if given.path_style is None and storage.path_style is not None:
        lent["path_style"] = str(storage.path_style).lower()
    address, _, query = text.partition("?")
    # An empty `region=` in the text would stand there twice.
    kept = [piece for piece in query.split("&") if piece and piece.partition("=")[0] not in lent]
    return f"{address}?" + "&".join([*kept, *(f"{name}={quote(value, safe='')}" for name, value in lent.items())])


def located(text: str, *, is_prefix: bool, storage: S3Location | None) -> S3Location:
    """What an address says, with the credentials to use. Raises: as :func:`with_credentials`."""
    return parse_s3(with_credentials(text, is_prefix=is_prefix, storage=storage), is_prefix=is_prefix)


def _service(endpoint: str | None) -> str:
    """The service that an endpoint means, however it is spelt."""
    return claim_of("s3://any/" + (f"?endpoint={quote(endpoint, safe='')}" if endpoint else ""))


def _check_s3(location: S3Location, *, policy: AddressPolicy) -> None:
    if not location.endpoint:
        return
    try:
        _service(location.endpoint)
    except ValueError:
        raise ValueError("endpoint must be an address such as https://s3.example.com") from None
    if location.path_style is None and holds_bucket(location.endpoint, location.bucket):
        raise ValueError(
            "endpoint already holds the bucket's name: give the address of the service, without the bucket. If this is how "
            "the service itself is called, add path_style=true."
        )
    _refuse_inner(
        location.endpoint,
        "endpoint is a private or loopback address, or a port of another service, which this server does not talk to.",
        policy=policy,
    )


def _refuse_inner(url: str, message: str, *, policy: AddressPolicy) -> None:
    try:
        policy.check_url(url)
    except ForbiddenAddress:
        raise ValueError(message) from None
