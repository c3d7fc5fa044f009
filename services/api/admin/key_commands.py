"""The commands for content keys: where those of an organization come from.

Secrets are asked for, or read from standard input or a file; never are they on the command line.
"""

import getpass
import json
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from services.api.accounts.directory import NotPossible, require_organization
from services.api.admin.app import command
from services.api.admin.arguments import Organization
from services.api.admin.context import AdminContext
from services.api.admin.showing import print_table
from services.api.drm.providers import KeyProviders
from shared.encryption.providers import PROVIDERS, KeyProvider
from shared.locations import mask

Kind = StrEnum("Kind", ("sealed", "tpstreams", "speke", "static"))
_SHOWN = ("url", "organization", "username", "header")
_Ask = Callable[[str], str]


@command("set-key-provider")
async def set_provider(
    context: AdminContext,
    organization: Organization,
    kind: Annotated[Kind, typer.Argument(help="sealed is this server's own store.")],
    url: Annotated[str | None, typer.Option(help="Of the key service.")] = None,
    account: Annotated[str | None, typer.Option(metavar="CODE", help="The organization at TPStreams.")] = None,
    username: Annotated[str | None, typer.Option(help="Of SPEKE with Basic authentication.")] = None,
    header: Annotated[str | None, typer.Option(help="Of SPEKE with an API key, such as x-api-key.")] = None,
    secrets: Annotated[Path | None, typer.Option(metavar="FILE", help="With the secrets, a line for each.")] = None,
) -> None:
    """Choose where the content keys of an organization come from. Jobs that were accepted before keep their provider.

    Its secrets are asked for one by one; without a terminal they are read from standard input, a line for each.
    """
    options = {"url": url, "organization": account, "username": username, "header": header}
    given = {name: value for name, value in options.items() if value is not None}
    asked = _secrets(kind, given, _asking(secrets))
    try:
        provider = PROVIDERS.validate_python({"kind": kind, **given, **asked})
    except ValidationError as error:
        # Without what was entered, which may be a secret with a letter too many.
        problems = {".".join(str(name) for name in item["loc"][1:]): item["msg"] for item in error.errors()}
        raise NotPossible("; ".join(f"{name}: {text}" if name else text for name, text in problems.items())) from None
    if refusal := context.settings.provider_rules.refusal(provider):
        raise NotPossible(refusal)
    if not await _providers(context).set(organization, provider):
        raise NotPossible(f"there is no organization {organization}")
    print(f"keys of {organization} come from {kind}")


@command("show-key-provider")
async def show_provider(context: AdminContext, organization: Organization) -> None:
    """Show where the content keys of an organization come from, without its secrets."""
    async with context.database.connection() as connection:
        await require_organization(connection, organization)
    print_table(("MEMBER", "VALUE"), shown(await _providers(context).get(organization)))


def shown(provider: KeyProvider) -> list[tuple[str, str]]:
    """What of a provider may be seen, and of the rest that it is there."""
    members = provider.model_dump(mode="json")
    fields = type(provider).model_fields
    return [
        # Some services are asked with a secret in their address.
        (name, mask(str(value)) if name in (*_SHOWN, "kind") else "set")
        for name, value in members.items()
        if name in fields and value is not None
    ]


def _secrets(kind: str, given: dict[str, str], ask: _Ask) -> dict[str, Any]:
    """The secrets that a kind of provider has beside the members given."""
    match kind:
        case "tpstreams":
            return {
                "signing_key": ask("Signing key (64 hexadecimal digits): ").lower(),
                "signing_iv": ask("Signing IV (32 hexadecimal digits): ").lower(),
            }
        case "speke":
            asked = {"password": "Password: "} if "username" in given else {}
            if "header" in given:
                asked["value"] = f"Value of {given['header']}: "
            return {name: ask(prompt) for name, prompt in asked.items()}
        case "static":
            text = ask("Keys, as JSON: ")
            try:
                return {"keys": json.loads(text)}
            except ValueError:
                raise NotPossible(
                    'keys are JSON: [{"tracks": "all", "kid": "<32 hexadecimal digits>", "iv": "…", "key": "…"}]'
                ) from None
        case _:
            return {}


def _asking(file: Path | None) -> _Ask:
    """How secrets are come by, one after the other."""
    if file is not None:
        return _next_line(file.read_text().splitlines())
    if sys.stdin.isatty():
        return getpass.getpass
    return _next_line(sys.stdin.read().splitlines())


def _next_line(lines: Sequence[str]) -> _Ask:
    left = iter(lines)

    def ask(prompt: str) -> str:
        line = next(left, "").strip()
        if not line:
            raise NotPossible(f"a line is missing: {prompt.rstrip(': ')}")
        return line

    return ask


def _providers(context: AdminContext) -> KeyProviders:
    return KeyProviders(context.database, context.settings.sealer)
