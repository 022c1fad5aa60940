"""Keys in descriptions: RFC 4568's own lines, what is refused, and who ends up with which key."""

import base64

import pytest

from webcb.sip.grammar import ProtocolError
from webcb.sip.offer_answer import Codec, Side, read_answer, read_offer, write_answer, write_offer
from webcb.sip.sdes import SUITES, Crypto, make_crypto, parse_crypto, read_cryptos

SHA1_80, GCM_256 = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
OCTETS = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"  # RFC 4568, 5.1.1 and others
LINE = f"1 {SHA1_80} inline:{OCTETS}"
PCMU = Codec("PCMU", 0, 8000)


def counting():
    """Randomness that counts, so that no two keys are alike."""
    state = [0]

    def draw(count: int) -> bytes:
        state[0] += 1
        return bytes([state[0]]) * count

    return draw


def side(port: int, srtp: str, *cryptos: Crypto, version: int = 1) -> Side:
    return Side("192.0.2.1", port, (PCMU,), 7, version, cryptos=cryptos, srtp=srtp)


def keys(entropy=None) -> tuple[Crypto, ...]:
    draw = entropy or counting()
    return tuple(make_crypto(tag, suite, draw) for tag, suite in enumerate(SUITES, 1))


def test_line_of_the_rfc():
    crypto = parse_crypto(f"1 {SHA1_80} inline:{OCTETS}|2^20|1:32")
    octets = base64.b64decode(OCTETS)
    assert (crypto.tag, crypto.suite, crypto.key, crypto.salt) == (1, SHA1_80, octets[:16], octets[16:])
    assert (crypto.lifetime, crypto.mki) == (2**20, bytes(31) + b"\1")
    assert parse_crypto(crypto.print()) == crypto


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_what_we_print_is_read(suite):
    crypto = make_crypto(7, suite.name, counting())
    assert (len(crypto.key), len(crypto.salt)) == (suite.key_bytes, suite.salt_bytes)
    assert parse_crypto(crypto.print()) == crypto
    assert read_cryptos([crypto.print().rstrip("=")]) == (crypto,)  # some leave the padding out
    assert base64.b64encode(crypto.key).decode().rstrip("=")[:10] not in repr(crypto)


@pytest.mark.parametrize(
    ("rest", "lifetime", "mki"),
    [
        ("", 0, b""),
        ("|2^48", 2**48, b""),
        ("|1048576", 2**20, b""),
        ("|1:4", 0, b"\0\0\0\1"),
        ("|2^31|66051:3", 2**31, b"\1\2\3"),
        (" WSH=64", 0, b""),
        (" -FUTURE=9 WSH=1024", 0, b""),
    ],
)
def test_what_may_follow_the_key(rest, lifetime, mki):
    crypto = parse_crypto(LINE + rest)
    assert (crypto.lifetime, crypto.mki) == (lifetime, mki)


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"1 {SHA1_80}",
        f"x {SHA1_80} inline:{OCTETS}",
        f"01 {SHA1_80} inline:{OCTETS}",
        f"{'1' * 10} {SHA1_80} inline:{OCTETS}",
        f"1 F8_128_HMAC_SHA1_80 inline:{OCTETS}",
        f"1 {GCM_256} inline:{OCTETS}",
        f"1 {SHA1_80} uri:https://keys.example/1",
        f"1 {SHA1_80} inline:{OCTETS[:-4]}",
        f"1 {SHA1_80} inline:{OCTETS[:-1]}*",
        f"1 {SHA1_80} inline:{OCTETS}|1:4;inline:{OCTETS}|2:4",
        f"{LINE}|2^19",
        f"{LINE}|2^49",
        f"{LINE}|2^999999999999",
        f"{LINE}|2^x",
        f"{LINE}|",
        f"{LINE}|1:0",
        f"{LINE}|1:129",
        f"{LINE}|256:1",
        f"{LINE}|:",
        f"{LINE}|2^20|1:4|9",
        f"{LINE} UNENCRYPTED_SRTP",
        f"{LINE} UNENCRYPTED_SRTCP",
        f"{LINE} UNAUTHENTICATED_SRTP",
        f"{LINE} KDR=1",
        f"{LINE} FEC_ORDER=FEC_SRTP",
        f"{LINE} WSH=63",
        f"{LINE} FUTURE=1",
        f"{LINE} -",
        LINE + "A" * 2000,
    ],
)
def test_what_cannot_be_used(line):
    with pytest.raises(ProtocolError):
        parse_crypto(line)
    assert [each.tag for each in read_cryptos([line, f"2 {SHA1_80} inline:{OCTETS}"])] == [2]


def test_a_long_mki_is_read_but_not_used():
    assert read_cryptos([f"{LINE}|1:17", f"2 {SHA1_80} inline:{OCTETS}|1:16"])[0].tag == 2


def test_a_tag_counts_once_and_lines_have_a_limit():
    other = f"1 AES_CM_128_HMAC_SHA1_32 inline:{OCTETS}"
    assert [each.suite for each in read_cryptos([LINE, other])] == [SHA1_80]
    assert len(read_cryptos([f"{tag} {SHA1_80} inline:{OCTETS}" for tag in range(1, 100)])) == 16


@pytest.mark.parametrize(
    ("offering", "answering", "profile", "is_secure"),
    [
        ("none", "none", "RTP/AVP", False),
        ("none", "optional", "RTP/AVP", False),
        ("optional", "none", "RTP/AVP", False),
        ("optional", "optional", "RTP/AVP", True),
        ("optional", "required", "RTP/AVP", True),
        ("required", "optional", "RTP/SAVP", True),
        ("required", "required", "RTP/SAVP", True),
    ],
)
def test_both_sides_end_up_with_each_others_key(offering, answering, profile, is_secure):
    draw = counting()
    ours = keys(draw) if offering != "none" else ()
    offer = write_offer(side(20_000, offering, *ours))
    heard = read_offer(offer, answering)
    assert f"m=audio 20000 {profile} 0".encode() in offer
    theirs = (make_crypto(heard.crypto.tag, heard.crypto.suite, draw),) if heard.crypto else ()
    answer = write_answer(offer, side(30_000, answering, *theirs))
    assert f"m=audio 30000 {profile} 0".encode() in answer
    told = read_answer(offer, answer)
    assert bool(told.crypto) == bool(heard.crypto) == is_secure
    if is_secure:
        assert heard.crypto == ours[0]  # the best that we have
        assert told.crypto == theirs[0]


@pytest.mark.parametrize(("offering", "answering"), [("none", "required"), ("required", "none")])
def test_sides_that_do_not_fit_refuse(offering, answering):
    offer = write_offer(side(20_000, offering, *(keys() if offering == "required" else ())))
    with pytest.raises(ProtocolError):
        read_offer(offer, answering)
    with pytest.raises(ProtocolError):
        write_answer(offer, side(30_000, answering, *keys()[:1]))


def test_an_offer_that_wants_keys_is_never_answered_without():
    offer = write_offer(side(20_000, "required", *keys()))
    with pytest.raises(ProtocolError):
        write_answer(offer, side(30_000, "optional"))
    offer = write_offer(side(20_000, "optional", *keys()))
    with pytest.raises(ProtocolError):
        write_answer(offer, side(30_000, "required"))


def answered(offer: bytes, *lines: str, profile: str = "RTP/SAVP") -> bytes:
    crypto = "".join(f"a=crypto:{line}\r\n" for line in lines)
    head = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    return f"{head}m=audio 30000 {profile} 0\r\n{crypto}".encode()


def test_the_key_of_an_answer_is_to_a_line_of_the_offer():
    offer = write_offer(side(20_000, "required", *keys()))
    assert read_answer(offer, answered(offer, f"3 {SHA1_80} inline:{OCTETS}")).crypto.tag == 3
    for lines in (
        (),
        (f"1 {SHA1_80} inline:{OCTETS}",),
        (f"9 {SHA1_80} inline:{OCTETS}",),
        (f"3 {SHA1_80} inline:{OCTETS} KDR=1",),
    ):
        with pytest.raises(ProtocolError):
            read_answer(offer, answered(offer, *lines))
    with pytest.raises(ProtocolError):
        read_answer(offer, answered(offer, f"3 {SHA1_80} inline:{OCTETS}", profile="RTP/AVP"))


def test_a_choice_left_to_the_peer():
    offer = write_offer(side(20_000, "optional", *keys()))
    assert read_answer(offer, answered(offer, profile="RTP/AVP")).crypto is None
    assert read_answer(offer, answered(offer, f"3 {SHA1_80} inline:{OCTETS}", profile="RTP/AVP")).crypto.tag == 3
    assert read_answer(offer, answered(offer, f"3 {SHA1_80} inline:{OCTETS}")).crypto.tag == 3
    for lines, profile in (
        (("9 x inline:y",), "RTP/AVP"),
        ((), "RTP/SAVP"),
    ):  # it believes to be safe, and would not be
        with pytest.raises(ProtocolError):
            read_answer(offer, answered(offer, *lines, profile=profile))


def test_the_first_audio_that_fits_is_taken_and_the_other_refused():
    """The old way to leave the choice: one stream of each kind."""
    offer = answered(b"", f"4 {SHA1_80} inline:{OCTETS}") + b"m=audio 30002 RTP/AVP 0\r\n"
    assert read_offer(offer, "none").port == 30_002
    assert read_offer(offer, "required").port == read_offer(offer, "optional").port == 30_000
    plain = write_answer(offer, side(20_000, "none"))
    assert b"m=audio 0 RTP/SAVP 0\r\nm=audio 20000 RTP/AVP 0" in plain
    secure = write_answer(offer, side(20_000, "optional", make_crypto(4, SHA1_80, counting())))
    assert b"m=audio 20000 RTP/SAVP 0" in secure
    assert b"m=audio 0 RTP/AVP 0" in secure
    assert secure.count(b"a=crypto:") == 1
    assert b"a=crypto:4 " in secure


def test_dtls_is_not_spoken_here():
    offer = answered(b"", profile="UDP/TLS/RTP/SAVPF")
    for srtp in ("none", "optional", "required"):
        with pytest.raises(ProtocolError):
            read_offer(offer, srtp)
