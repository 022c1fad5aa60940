"""Whom a TLS connection trusts, and what it shows of us. The certificate must be for the host that is configured, by default
signed by an authority of the system (RFC 5922, with the name in the form TLS checks by itself: DNS name or IP address).
"""

import ssl
from dataclasses import dataclass


class TrustProblem(Exception):
    """A certificate or key file cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How the other end of a connection is known: `server_name` must be in its certificate. Files are PEM; "": as in routing."""

    server_name: str
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


def context(trust: Trust) -> ssl.SSLContext:
    """What a connection is opened with; reads the files. TrustProblem: one of them cannot be used."""
    file = trust.ca_file
    try:
        made = ssl.create_default_context(cafile=file or None)
        if trust.certificate_file:
            file = trust.certificate_file
            made.load_cert_chain(file, trust.key_file or None, password=_no_password)
    except OSError as wrong:  # ssl.SSLError is one
        raise TrustProblem(f"{file}: {reason(wrong)}") from wrong
    return made


def reason(wrong: OSError) -> str:
    """Why a TLS connection could not be opened, or any other, in a few words."""
    if isinstance(wrong, ssl.SSLCertVerificationError):
        return f"its certificate: {wrong.verify_message}"
    if isinstance(wrong, ssl.SSLError):
        return f"TLS: {(wrong.reason or str(wrong)).replace('_', ' ').lower()}"
    return wrong.strerror or str(wrong)


def _no_password() -> str:
    """A key with a password is refused: nobody is there to type it."""
    return ""
