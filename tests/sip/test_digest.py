"""Digest responses against published vectors (RFC 2617, RFC 7616, baresip's libre)."""

import csv
from pathlib import Path

import pytest

from webcb.sip.digest import ALGORITHMS, Challenge, Credentials, digest_response, parse_challenge
from webcb.sip.grammar import ProtocolError

ROWS = list(csv.DictReader((Path(__file__).parent / "digest.csv").read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['source']} {row['algorithm']} {row['qop']}")
def test_vector(row):
    credentials = Credentials(row["username"], row["password"])
    challenge = Challenge(row["realm"], row["nonce"], row["algorithm"], row["qop"])
    assert (
        digest_response(credentials, challenge, row["method"], row["uri"], row["nc"], row["cnonce"]) == row["response"]
    )


def test_all_vectors_are_here():
    assert len(ROWS) == 7


def test_sha_512_256():
    # RFC 7616, 3.9.2 as corrected by its erratum 4897, without userhash.
    if "SHA-512-256" not in ALGORITHMS:
        assert parse_challenge('Digest realm="r", nonce="n", algorithm=SHA-512-256') is None
        return
    credentials = Credentials("J\u00e4s\u00f8n Doe", "Secret, or not?")
    challenge = Challenge("api@example.org", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", "SHA-512-256", "auth")
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    response = digest_response(credentials, challenge, "GET", "/doe.json", "00000001", cnonce)
    assert response == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_without_qop_it_is_rfc_2069():
    challenge = Challenge("r", "n", "MD5")
    # H(H(u:r:p):n:H(OPTIONS:sip:x)), computed apart
    from hashlib import md5

    expected = md5(f"{md5(b'u:r:p').hexdigest()}:n:{md5(b'OPTIONS:sip:x').hexdigest()}".encode()).hexdigest()
    assert digest_response(Credentials("u", "p"), challenge, "OPTIONS", "sip:x", "", "") == expected


def test_challenge_with_everything():
    challenge = parse_challenge(
        'DIGEST realm = "a, \\"b\\"" ,nonce="n=;,",qop="auth-int, auth", ALGORITHM=md5-sess , opaque="", stale=TRUE, charset=UTF-8',
        proxy=True,
    )
    assert challenge == Challenge('a, "b"', "n=;,", "md5-sess", "auth", "", stale=True, proxy=True)


@pytest.mark.parametrize("text", ['Digest nonce="n"', 'Digest realm="r"', 'Digest realm="r', "Digest", "Digest ,,,"])
def test_malformed(text):
    with pytest.raises(ProtocolError):
        parse_challenge(text)


@pytest.mark.parametrize(
    "text",
    ["Basic realm=x", "NTLM", 'Digest realm="r", nonce="n", algorithm=X', 'Digest realm="r", nonce="n", qop=odd'],
)
def test_what_we_cannot_answer(text):
    assert parse_challenge(text) is None


def test_strength():
    def strength(algorithm):
        return Challenge("r", "n", algorithm).strength

    assert strength("") == strength("MD5") < strength("md5-sess") < strength("SHA-256") < strength("SHA-256-sess")
