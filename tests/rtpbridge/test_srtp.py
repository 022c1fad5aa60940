"""SRTP: the vectors of RFC 3711 and RFC 7714, packet by packet beside libsrtp2, and what an attacker or a lossy path sends."""

import errno
import random
import struct
from types import ModuleType
from typing import Any

import pytest

from tests.rtpbridge import libsrtp

SUITES = {  # octets of key and of salt
    "AES_CM_128_HMAC_SHA1_80": (16, 14),
    "AES_CM_128_HMAC_SHA1_32": (16, 14),
    "AEAD_AES_128_GCM": (16, 12),
    "AEAD_AES_256_GCM": (32, 12),
}
ROOM = 2000
MASTER = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6")  # RFC 3711, B.3
SALT_7714 = b"Quid pro quo"
RTP_7714 = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
RTCP_7714 = bytes.fromhex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61" + "deadbeef" * 5)
SEEDS = random.Random(3711)


def rtp(sequence: int, payload: bytes = bytes(160), *, ssrc: int = 0x5EED) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, sequence % 2**16, 160 * sequence % 2**32, ssrc) + payload


def report(ssrc: int = 0x5EED) -> bytes:
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc) + struct.pack("!BBHI", 0x81, 202, 1, ssrc)


class Context:
    """One direction of our own."""

    def __init__(
        self, pure: ModuleType, suite: str, master: bytes, *, sends: bool, mki: bytes = b"", rollovers_max: int = 0
    ) -> None:
        self.pure, self.suite, self.mki = pure, suite, mki
        opened = pure.ffi.new("struct srtp **")
        assert pure.lib.srtp_open(opened, self._key(master), sends, rollovers_max) == 0
        self.srtp = pure.ffi.gc(opened[0], pure.lib.srtp_close)

    def _key(self, master: bytes) -> Any:
        key_bytes, salt_bytes = SUITES[self.suite]
        assert len(master) == key_bytes + salt_bytes
        return self.pure.ffi.new(
            "struct srtp_key *",
            {
                "suite": getattr(self.pure.lib, f"SRTP_{self.suite}"),
                "master_key": master[:key_bytes],
                "master_salt": master[key_bytes:],
                "mki": self.mki,
                "mki_bytes": len(self.mki),
            },
        )

    def rekey(self, master: bytes) -> None:
        fresh = self.pure.ffi.new("struct srtp **")
        assert self.pure.lib.srtp_open(fresh, self._key(master), self.srtp.sends, 0) == 0
        self.pure.lib.srtp_rekey(self.srtp, fresh[0])
        self.pure.lib.srtp_close(fresh[0])

    def ask(self, call: Any, packet: bytes, *more: int) -> bytes | int:
        """The packet that comes of it, or the errno; on an error nothing of the packet has changed."""
        room = self.pure.ffi.new("uint8_t[]", ROOM)
        room[0 : len(packet)] = packet
        size = self.pure.ffi.new("size_t *", len(packet))
        error: int = call(self.srtp, room, size, *more)
        if error:
            assert bytes(self.pure.ffi.buffer(room, len(packet))) == packet
        return error or bytes(self.pure.ffi.buffer(room, size[0]))

    def protect(self, packet: bytes, room: int = ROOM) -> bytes | int:
        return self.ask(self.pure.lib.srtp_rtp_protect, packet, room)

    def unprotect(self, packet: bytes) -> bytes | int:
        return self.ask(self.pure.lib.srtp_rtp_unprotect, packet)

    def protect_rtcp(self, packet: bytes, room: int = ROOM) -> bytes | int:
        return self.ask(self.pure.lib.srtp_rtcp_protect, packet, room)

    def unprotect_rtcp(self, packet: bytes) -> bytes | int:
        return self.ask(self.pure.lib.srtp_rtcp_unprotect, packet)


def master_of(suite: str, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(sum(SUITES[suite]))


def pair(pure: ModuleType, suite: str, *, mki: bytes = b"") -> tuple[Context, Context]:
    master = master_of(suite)
    return (
        Context(pure, suite, master, sends=True, mki=mki),
        Context(pure, suite, master, sends=False, mki=mki),
    )


def protected(context: Context, packet: bytes) -> bytes:
    sealed = context.protect(packet)
    assert isinstance(sealed, bytes)
    return sealed


def derived(pure: ModuleType, suite: str, key: bytes, salt: bytes, *, sends: bool) -> Context:
    """A context with these session keys: the vectors of RFC 7714 and of RFC 3711, B.2 begin from them."""
    context = Context.__new__(Context)
    context.pure, context.suite, context.mki = pure, suite, b""
    keys = pure.ffi.new("struct session_keys *", {"key": key, "salt": salt})
    plan = pure.ffi.new("struct srtp_key *", {"suite": getattr(pure.lib, f"SRTP_{suite}")})
    opened = pure.ffi.new("struct srtp **")
    assert pure.lib.srtp_open_derived(opened, plan, sends, keys, keys) == 0
    context.srtp = pure.ffi.gc(opened[0], pure.lib.srtp_close)
    return context


def test_keys_are_derived_as_in_rfc_3711_b3(pure: ModuleType) -> None:
    master = pure.ffi.new("struct srtp_key *", {"master_key": MASTER[:16], "master_salt": MASTER[16:]})
    keys = pure.ffi.new("struct session_keys *")
    assert pure.lib.transform_derive(keys, master, pure.lib.TRANSFORM_FOR_RTP) == 0
    assert bytes(keys.key)[:16].hex() == "c61e7a93744f39ee10734afe3ff7a087"
    assert bytes(keys.salt).hex() == "30cbbc08863d8c85d49db34a9ae1"
    assert bytes(keys.auth).hex() == "cebe321f6ff7716b6fd4ab49af256a156d38baa4"


def test_the_keystream_of_rfc_3711_b2(pure: ModuleType) -> None:
    key, salt = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd")
    context = derived(pure, "AES_CM_128_HMAC_SHA1_80", key, salt, sends=True)
    stream = protected(context, rtp(0, bytes(0xFF02 * 16 % 1024 + 48), ssrc=0))[12:]
    assert (
        stream[:48].hex()
        == "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0"
    )


@pytest.mark.parametrize(
    ("suite", "key_bytes", "sealed"),
    [
        (
            "AEAD_AES_128_GCM",
            16,
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            "AEAD_AES_256_GCM",
            32,
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ],
)
def test_the_rtp_vectors_of_rfc_7714_16(pure: ModuleType, suite: str, key_bytes: int, sealed: str) -> None:
    key = bytes(range(key_bytes))
    expected = RTP_7714[:12] + bytes.fromhex(sealed)
    assert derived(pure, suite, key, SALT_7714, sends=True).protect(RTP_7714) == expected
    assert derived(pure, suite, key, SALT_7714, sends=False).unprotect(expected) == RTP_7714


@pytest.mark.parametrize(
    ("suite", "key_bytes", "sealed"),
    [
        (
            "AEAD_AES_128_GCM",
            16,
            "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            "AEAD_AES_256_GCM",
            32,
            "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ],
)
def test_the_rtcp_vectors_of_rfc_7714_17(pure: ModuleType, suite: str, key_bytes: int, sealed: str) -> None:
    key = bytes(range(key_bytes))
    expected = RTCP_7714[:8] + bytes.fromhex(sealed)
    sender = derived(pure, suite, key, SALT_7714, sends=True)
    for _ in range(0x5D3):
        sender.protect_rtcp(RTCP_7714)
    assert sender.protect_rtcp(RTCP_7714) == expected
    assert derived(pure, suite, key, SALT_7714, sends=False).unprotect_rtcp(expected) == RTCP_7714


def test_rtcp_that_is_only_authenticated_is_taken(pure: ModuleType) -> None:
    """RFC 7714, 17.3: the E flag is 0."""
    tagged = RTCP_7714 + bytes.fromhex("841dd9683dd78ec92ae58790125f62b3000005d4")
    receiver = derived(pure, "AEAD_AES_128_GCM", bytes(range(16)), SALT_7714, sends=False)
    assert receiver.unprotect_rtcp(tagged) == RTCP_7714


@pytest.mark.parametrize("mki", [b"", b"\x01\x02\x03\x04"], ids=["no MKI", "MKI"])
@pytest.mark.parametrize("suite", SUITES)
def test_packet_by_packet_beside_libsrtp(pure: ModuleType, suite: str, mki: bytes) -> None:
    """Over a wrap of the sequence, with CSRCs, extensions, losses and packets out of order."""
    seeds = random.Random(suite)
    master = master_of(suite)
    ours, theirs = (
        Context(pure, suite, master, sends=True, mki=mki),
        libsrtp.Session(suite, master, sends=True, mki=mki),
    )
    our_ear, their_ear = (
        Context(pure, suite, master, sends=False, mki=mki),
        libsrtp.Session(suite, master, sends=False, mki=mki),
    )
    sent: list[tuple[bytes, bytes]] = []
    for number in range(65_300, 66_000):
        plain = bytearray(rtp(number, seeds.randbytes(seeds.choice((0, 1, 4, 33, 160, 240)))))
        if seeds.random() < 0.1:
            plain[0] |= 2
            plain[12:12] = seeds.randbytes(8)
        if seeds.random() < 0.1:
            plain[0] |= 0x10
            at = 12 + 4 * (plain[0] & 0x0F)
            plain[at:at] = b"\xbe\xde\x00\x01" + seeds.randbytes(4)
        sealed = ours.protect(bytes(plain))
        assert sealed == theirs.protect(bytes(plain))
        assert isinstance(sealed, bytes)
        sent.append((bytes(plain), sealed))
        if number % 10 == 0:
            sealed = ours.protect_rtcp(report())
            assert sealed == theirs.protect(report(), rtcp=True)
            assert isinstance(sealed, bytes)
            assert our_ear.unprotect_rtcp(sealed) == report()
            if not (mki and suite == "AES_CM_128_HMAC_SHA1_32"):  # libsrtp looks for this MKI where RTP has it
                assert their_ear.unprotect(sealed, rtcp=True) == report()
            assert our_ear.unprotect_rtcp(sealed) == errno.EALREADY
    for begin in range(1, len(sent), 20):  # the first comes first: its number says where the count begins
        part = sent[begin : begin + 20]
        seeds.shuffle(part)
        sent[begin : begin + 20] = part[: seeds.randint(10, 20)]
    for plain, sealed in sent:
        assert our_ear.unprotect(sealed) == their_ear.unprotect(sealed) == plain
    for _, sealed in sent[-100:]:
        assert our_ear.unprotect(sealed) == errno.EALREADY
        assert their_ear.unprotect(sealed) is None


@pytest.mark.parametrize("suite", SUITES)
def test_no_octet_may_be_changed_and_nothing_changes_before_the_tag_is_right(pure: ModuleType, suite: str) -> None:
    sender, receiver = pair(pure, suite)
    assert receiver.unprotect(protected(sender, rtp(100))) == rtp(100)
    before = bytes(pure.ffi.buffer(receiver.srtp.streams))
    sealed = protected(sender, rtp(101))
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1 << SEEDS.randrange(8)
        assert receiver.unprotect(bytes(changed)) in (errno.EBADMSG, errno.EALREADY), at
    for size in range(len(sealed)):
        assert receiver.unprotect(sealed[:size]) == errno.EBADMSG
    assert bytes(pure.ffi.buffer(receiver.srtp.streams)) == before
    assert receiver.unprotect(sealed) == rtp(101)
    sealed_report = sender.protect_rtcp(report())
    assert isinstance(sealed_report, bytes)
    for at in range(len(sealed_report)):
        changed = bytearray(sealed_report)
        changed[at] ^= 1 << SEEDS.randrange(8)
        assert receiver.unprotect_rtcp(bytes(changed)) == errno.EBADMSG, at
    assert receiver.unprotect_rtcp(sealed_report) == report()


def test_a_packet_is_taken_once_and_only_while_it_can_be_known(pure: ModuleType) -> None:
    sender, receiver = pair(pure, "AES_CM_128_HMAC_SHA1_80")
    sealed = [protected(sender, rtp(number)) for number in range(300)]
    assert receiver.unprotect(sealed[200]) == rtp(200)
    for number in (199, 136, 137, 73):
        assert receiver.unprotect(sealed[number]) == rtp(number)
        assert receiver.unprotect(sealed[number]) == errno.EALREADY
    assert receiver.unprotect(sealed[72]) == errno.EALREADY  # 128 behind
    assert receiver.unprotect(sealed[299]) == rtp(299)
    assert receiver.unprotect(sealed[200]) == errno.EALREADY
    assert receiver.unprotect(sealed[172]) == rtp(172)


def test_a_keystream_is_never_used_twice(pure: ModuleType) -> None:
    sender, _ = pair(pure, "AEAD_AES_128_GCM")
    assert isinstance(sender.protect(rtp(7, b"first")), bytes)
    assert sender.protect(rtp(7, b"again")) == errno.EALREADY
    assert isinstance(sender.protect(rtp(7, b"another source", ssrc=1)), bytes)


def test_counters_go_on_for_a_day(pure: ModuleType) -> None:
    """Steps of 30,000 packets, 10 minutes of silence each, over 70 wraps."""
    sender, receiver = pair(pure, "AES_CM_128_HMAC_SHA1_32")
    for number in range(0, 70 * 65_536, 30_000):
        assert receiver.unprotect(protected(sender, rtp(number))) == rtp(number)


def test_who_comes_late_finds_the_rollover_counter(pure: ModuleType) -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"
    sender, never = pair(pure, suite)
    for number in range(0, 5 * 65_536 + 100, 30_000):
        protected(sender, rtp(number))
    late = Context(pure, suite, master_of(suite), sends=False, rollovers_max=8)
    sealed = protected(sender, rtp(5 * 65_536 + 5))
    assert never.unprotect(sealed) == errno.EBADMSG
    assert late.unprotect(sealed) == rtp(5 * 65_536 + 5)
    assert late.unprotect(protected(sender, rtp(5 * 65_536 + 6))) == rtp(5 * 65_536 + 6)


def test_another_key_takes_over_without_a_gap(pure: ModuleType) -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"
    sender, receiver = pair(pure, suite)
    for number in (65_530, 65_536 + 1):
        assert receiver.unprotect(protected(sender, rtp(number))) == rtp(number)
    on_its_way = [protected(sender, rtp(65_536 + number)) for number in (2, 3)]
    sender.rekey(master_of(suite, 2))
    receiver.rekey(master_of(suite, 2))
    assert receiver.unprotect(on_its_way[0]) == rtp(65_536 + 2)
    assert receiver.unprotect(on_its_way[0]) == errno.EALREADY
    new = protected(sender, rtp(65_536 + 4))
    assert receiver.unprotect(new) == rtp(65_536 + 4)
    assert receiver.unprotect(new) == errno.EALREADY
    assert receiver.unprotect(on_its_way[1]) == errno.EBADMSG  # nobody needs the former key any more
    sender.rekey(master_of(suite, 2))  # the same once more changes nothing
    assert receiver.unprotect(protected(sender, rtp(65_536 + 5))) == rtp(65_536 + 5)
    assert not receiver.srtp.has_former


def test_a_far_side_that_counts_anew_with_the_key_is_understood(pure: ModuleType) -> None:
    suite = "AEAD_AES_128_GCM"
    sender, receiver = pair(pure, suite)
    for number in (65_530, 65_536 + 1):
        assert receiver.unprotect(protected(sender, rtp(number))) == rtp(number)
    receiver.rekey(master_of(suite, 2))
    anew = Context(pure, suite, master_of(suite, 2), sends=True)
    sealed = protected(anew, rtp(2))
    assert receiver.unprotect(sealed) == rtp(2)
    assert receiver.unprotect(sealed) == errno.EALREADY
    report_anew = anew.protect_rtcp(report())
    assert isinstance(report_anew, bytes)
    assert receiver.unprotect_rtcp(report_anew) == report()
    assert receiver.unprotect_rtcp(report_anew) == errno.EALREADY


def test_room_is_kept_to(pure: ModuleType) -> None:
    sender, _ = pair(pure, "AES_CM_128_HMAC_SHA1_80", mki=b"1234")
    size = len(rtp(1)) + 10 + 4
    assert sender.protect(rtp(1), size - 1) == errno.EMSGSIZE
    assert len(protected(sender, rtp(1))) == size
    assert sender.protect_rtcp(report(), len(report()) + 17) == errno.EMSGSIZE
    assert isinstance(sender.protect_rtcp(report(), len(report()) + 18), bytes)


def test_another_mki_is_another_key(pure: ModuleType) -> None:
    suite = "AEAD_AES_256_GCM"
    sender = Context(pure, suite, master_of(suite), sends=True, mki=b"\x01")
    receiver = Context(pure, suite, master_of(suite), sends=False, mki=b"\x02")
    assert receiver.unprotect(protected(sender, rtp(1))) == errno.EBADMSG


@pytest.mark.parametrize("key", [{"suite": 4}, {"mki_bytes": 17}])
def test_a_key_out_of_its_limits_is_refused(pure: ModuleType, key: dict[str, int]) -> None:
    assert (
        pure.lib.srtp_open(pure.ffi.new("struct srtp **"), pure.ffi.new("struct srtp_key *", key), True, 0)
        == errno.EINVAL
    )


def test_many_sources_push_out_the_one_longest_unused(pure: ModuleType) -> None:
    sender, receiver = pair(pure, "AES_CM_128_HMAC_SHA1_80")
    first = protected(sender, rtp(1, ssrc=1))
    for ssrc in range(1, 9):
        assert receiver.unprotect(protected(sender, rtp(2, ssrc=ssrc))) == rtp(2, ssrc=ssrc)
    assert receiver.unprotect(protected(sender, rtp(3, ssrc=1))) == rtp(3, ssrc=1)
    assert receiver.unprotect(protected(sender, rtp(2, ssrc=9))) == rtp(2, ssrc=9)
    assert receiver.unprotect(protected(sender, rtp(4, ssrc=1))) == rtp(4, ssrc=1)
    assert receiver.unprotect(first) == rtp(1, ssrc=1)
