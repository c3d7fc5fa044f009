"""Which addresses a customer's word may lead to."""

import pytest

from shared.addresses import AddressPolicy, ForbiddenAddress

PUBLIC = AddressPolicy()

INNER = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.8.8.8", "168.63.129.16", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::8.8.8.8", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1::808:808", "100::1", "100:0:0:1::1", "200::1", "2001::1", "2001:2::1",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1",
    "8000::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "::1%lo", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
GLOBAL = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "168.63.129.17", "192.0.1.1", "223.255.255.255",
    "2606:4700:4700::1111", "2a00:1450::1", "2001:200::1", "3ffe::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_forbidden(address: str) -> None:
    with pytest.raises(ForbiddenAddress):
        PUBLIC.check_address(address, 443)


@pytest.mark.parametrize("address", GLOBAL)
def test_public_addresses_are_allowed(address: str) -> None:
    PUBLIC.check_address(address, 443)


@pytest.mark.parametrize("port", [22, 25, 110, 465, 587, 3306, 4222, 5432, 6379, 9200, 11211, 27017])
def test_ports_of_mail_databases_and_shells_are_forbidden(port: int) -> None:
    for url in (f"http://example.com:{port}/", f"http://8.8.8.8:{port}/"):
        with pytest.raises(ForbiddenAddress, match=str(port)):
            PUBLIC.check_url(url)


@pytest.mark.parametrize("port", [80, 443, 8000, 8080, 8443, 9000, 9443, 3900])
def test_ports_of_web_servers_and_storages_are_allowed(port: int) -> None:
    PUBLIC.check_url(f"http://example.com:{port}/")


def test_an_allow_list_has_networks_addresses_and_names() -> None:
    policy = AddressPolicy.parse("10.1.0.0/16, 192.168.7.7 fd00::/8,MinIO.internal.")
    for address in ("10.1.2.3", "192.168.7.7", "fd12::1"):
        policy.check_address(address, 5432)
    for address in ("10.2.0.1", "192.168.7.8", "127.0.0.1", "::1"):
        with pytest.raises(ForbiddenAddress):
            policy.check_address(address, 80)
    assert policy.allows_host("minio.internal") and policy.allows_host("MINIO.internal.")
    assert not policy.allows_host("a.minio.internal")
    policy.check_url("http://minio.internal:6379/")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0", "http://minio", "mini o/x", "a..b", "::1/200", "-x"])
def test_what_is_wrong_with_an_allow_list_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is no network"):
        AddressPolicy.parse(text)


def test_a_name_of_this_machine_is_an_inner_address_unless_that_is_allowed() -> None:
    for host in ("localhost", "LOCALHOST.", "a.localhost"):
        with pytest.raises(ForbiddenAddress):
            PUBLIC.check_url(f"http://{host}/")
        AddressPolicy.parse("127.0.0.0/8").check_url(f"http://{host}/")
