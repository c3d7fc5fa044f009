"""Roles as a table, and what the api knows of the browser that sends a request."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request

from services.api.accounts.browser_sessions import csrf_token, is_csrf_token
from services.api.contract.account_models import is_username
from services.api.contract.errors import Forbidden
from services.api.contract.roles import ORGANIZATION_ROLES, Needed, OrganizationRole, may, role_is_missing
from services.api.http.browser import CSRF_HEADER, Site
from services.api.http.openapi import document
from services.api.http.operations import OPERATIONS

SECRET = "ab" * 32
PUBLIC_OPERATIONS = {
    *("login", "beginSession", "showSession", "endSession"),
    *("drmEncryptionKeys", "fairplayKey", "widevineKey", "drmLicense", "clearKeyLicense", "aesKey"),
}
"""What needs no token: logins, and what has signatures of its own."""


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (None, {"anyone"}),
        ("viewer", {"anyone", "viewer"}),
        ("member", {"anyone", "viewer", "member"}),
        ("admin", {"anyone", "viewer", "member", "admin"}),
    ],
)
def test_each_role_may_do_what_those_before_it_may(
    role: OrganizationRole | None, allowed: set[Needed], operator: bool
) -> None:
    needs: tuple[Needed, ...] = (*ORGANIZATION_ROLES, "operator", "anyone")
    expected = allowed | ({"operator"} if operator else set())
    assert {needed for needed in needs if may(role, needed, operator=operator)} == expected


def test_the_refusal_names_both_roles_and_who_can_help() -> None:
    assert role_is_missing("viewer", "admin") == (
        'This needs the role "admin", and yours in this organization is viewer. Another admin of the organization can give it.'
    )
    assert "admin set-operator" in role_is_missing("admin", "operator")


def test_nothing_is_open_to_everybody_by_mistake() -> None:
    assert {operation.name for operation in OPERATIONS if operation.role is None} == PUBLIC_OPERATIONS
    paths = document()["paths"]
    for operation in OPERATIONS:
        if operation.role == "anyone":
            assert "{org}" not in operation.path
        shown = paths[operation.path][operation.method]
        if operation.role not in (None, "anyone"):
            assert f"Needs the role `{operation.role}`." in shown["description"]
            assert "403" in shown["responses"]


@pytest.mark.parametrize(
    ("site", "proto", "secure"),
    [
        (Site(), "https", False),
        (Site(proxies=(ip_network("127.0.0.0/8"),)), "https", True),
        (Site(proxies=(ip_network("127.0.0.0/8"),)), "http", False),
        (Site(proxies=(ip_network("192.0.2.0/24"),)), "https", False),
        (Site("https://video.example.com"), "http", True),
        (Site("http://video.example.com", (ip_network("127.0.0.0/8"),)), "https", False),
    ],
)
def test_https_is_known_from_the_public_address_or_a_trusted_proxy(site: Site, proto: str, secure: bool) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-Proto": proto}).clone(remote="127.0.0.1")
    assert site.is_secure(request) is secure


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"Origin": "http://video.lan:8080"}, True),
        ({"Origin": "HTTP://VIDEO.LAN:8080"}, True),
        ({"Origin": "https://public.example.com"}, True),
        ({"Origin": "http://video.lan"}, False),
        ({"Origin": "http://video.lan:8080.evil.example.com"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://behind.a.proxy"}, True),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://video.lan:8080"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
    ],
)
def test_pages_of_ours_are_told_from_others(headers: dict[str, str], ours: bool) -> None:
    site = Site("https://public.example.com")
    sent = {"Host": "video.lan:8080", CSRF_HEADER: csrf_token(SECRET)} | headers
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        request = make_mocked_request(method, "/", headers=sent)
        if ours:
            site.require_unforged(request, SECRET)
        else:
            with pytest.raises(Forbidden, match="another origin"):
                site.require_unforged(request, SECRET)
    # The browser itself keeps pages of others from reading the answer.
    site.require_unforged(make_mocked_request("GET", "/", headers=headers), SECRET)


def test_a_csrf_token_is_that_of_its_session_alone() -> None:
    assert is_csrf_token(csrf_token(SECRET), SECRET)
    for wrong in ("", SECRET, csrf_token("cd" * 32), csrf_token(SECRET).upper(), "\u00e9"):
        assert not is_csrf_token(wrong, SECRET)


@pytest.mark.parametrize(
    ("name", "right"),
    [("ann", True), ("ann.b@example.com", True), ("a+b_c-d", True), ("", False), ("a b", False), ("a/b", False), ("ä", False), ("a\n", False)],
)  # fmt: skip
def test_names_of_new_accounts(name: str, right: bool) -> None:
    assert is_username(name) is right
