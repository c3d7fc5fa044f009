"""Sealed texts open with the right key for the right purpose, and for nothing else."""

import os

import pytest

from shared.sealing import SealBroken, Sealer

OLD, NEW = os.urandom(32), os.urandom(32)
SECRET = "AKIA/secret+key=€"


def test_what_is_sealed_opens_again_and_cannot_be_read() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(SECRET, "job one")
    assert sealer.open(sealed, "job one") == SECRET
    assert SECRET.encode() not in sealed


def test_the_same_text_is_sealed_differently_each_time() -> None:
    sealer = Sealer([NEW])
    assert sealer.seal(SECRET, "job") != sealer.seal(SECRET, "job")


def test_a_seal_is_of_no_use_for_another_purpose() -> None:
    sealer = Sealer([NEW])
    with pytest.raises(SealBroken, match="job two"):
        sealer.open(sealer.seal(SECRET, "job one"), "job two")


@pytest.mark.parametrize("place", [0, 13, -1])
def test_tampering_breaks_it(place: int) -> None:
    sealer = Sealer([NEW])
    sealed = bytearray(sealer.seal(SECRET, "job"))
    sealed[place] ^= 1
    with pytest.raises(SealBroken):
        sealer.open(bytes(sealed), "job")


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(27)])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        Sealer([NEW]).open(sealed, "job")


def test_a_key_is_replaced_without_a_pause() -> None:
    before = Sealer([OLD]).seal(SECRET, "job")
    both = Sealer([NEW, OLD])
    assert both.open(before, "job") == SECRET
    assert Sealer([NEW]).open(both.seal(SECRET, "job"), "job") == SECRET
    with pytest.raises(SealBroken):
        Sealer([NEW]).open(before, "job")


def test_resealing_takes_over_what_other_keys_have_sealed() -> None:
    sealed, both = Sealer([OLD]).seal(SECRET, "job"), Sealer([NEW, OLD])
    anew = both.reseal(sealed, "job")
    assert anew is not None
    assert Sealer([NEW]).open(anew, "job") == SECRET
    assert both.reseal(anew, "job") is None
    for sealer, text, purpose in ((Sealer([NEW]), sealed, "job"), (both, sealed, "another"), (both, b"", "job")):
        with pytest.raises(SealBroken):
            sealer.reseal(text, purpose)
