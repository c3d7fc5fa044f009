"""Links in answers never repeat a Host header that is not ours."""

import pytest
from aiohttp.test_utils import make_mocked_request

from services.api.contract.peers import parse_hosts
from services.api.http.links import Links

PATH = "/api/v1/abcdef/transcoding_jobs/"


class Transport:
    """A connection to 192.0.2.7 at a port."""

    def __init__(self, address: str, port: int) -> None:
        self._sockname = (address, port)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._sockname if name == "sockname" else default


def address(links: Links, host: str | None, to: tuple[str, int] = ("192.0.2.7", 8080)) -> str:
    headers = {"Host": host} if host is not None else {}
    request = make_mocked_request("GET", f"{PATH}?page=2", headers=headers, transport=Transport(*to))
    return links.address(request)


@pytest.mark.parametrize(
    ("host", "begin"),
    [
        ("localhost:9000", "http://localhost:9000"), ("127.0.0.1:8080", "http://127.0.0.1:8080"), ("[::1]:8080", "http://[::1]:8080"),
        ("192.0.2.7:8080", "http://192.0.2.7:8080"), ("Video.LAN", "http://video.lan"), ("video.lan:81", "http://video.lan:81"),
        ("films.lan:81", "http://films.lan:81"),
        ("films.lan", ""), ("films.lan:82", ""), ("evil.example", ""), ("192.0.2.7:9", ""), ("192.0.2.7", ""), ("192.0.2.8:8080", ""),
        ("evil.example/video.lan", ""), ("video.lan@evil.example", ""), ("video.lan:81@evil.example", ""), ("video.lan:x", ""),
        ("evilvideo.lan", ""), ("video.lan.evil.example", ""), ("", ""), (None, ""),
    ],
)  # fmt: skip
def test_by_the_host_header(host: str | None, begin: str) -> None:
    links = Links(None, parse_hosts("video.lan, films.lan:81"))
    assert address(links, host) == begin + PATH


def test_the_port_of_http_is_left_out() -> None:
    assert address(Links(None), "192.0.2.7", ("192.0.2.7", 80)) == "http://192.0.2.7" + PATH
    assert address(Links(None), "[2001:db8::7]:81", ("2001:db8::7", 81)) == "http://[2001:db8::7]:81" + PATH


@pytest.mark.parametrize("host", ["evil.example", "video.lan", None])
def test_a_public_url_goes_before_all(host: str | None) -> None:
    assert address(Links("https://video.example.com/x"), host) == "https://video.example.com/x" + PATH


@pytest.mark.parametrize("text", ["https://video.lan", "*", "video.lan/x", "a b"])
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        parse_hosts(text)
