"""The credentials door: passwords of people hashed, those of trunks sealed. Nothing here says who may do what."""

import base64
import hashlib
import hmac
import secrets
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.fernet import Fernet, InvalidToken

PASSWORD_LENGTH_MAX = 256
OPENED_MAX = 1024  # passwords of connections that need not be opened again

# Argon2id as OWASP recommends it for servers: 19 MiB, two passes, one lane.
ARGON2_MEMORY_KIB = 19 * 1024
ARGON2_PASSES = 2
ARGON2_LANES = 1
VERIFICATIONS_AT_ONCE = 8  # of one process: bounds their memory, whatever the number of threads that serve pages

_hasher = PasswordHasher(time_cost=ARGON2_PASSES, memory_cost=ARGON2_MEMORY_KIB, parallelism=ARGON2_LANES)
_verifications = threading.BoundedSemaphore(VERIFICATIONS_AT_ONCE)

# Who asks for a price for each number he types sends his password each time, and an argon2 takes longer than all the rest. What was
# found right is remembered by a digest under a key that this process alone has and nobody writes down; a new password has another
# hash, so nothing remembered is ever old. What is wrong is not remembered: guessing stays slow, and unknown IDs answer alike.
REMEMBERED_MAX = 1024
_memory_key = secrets.token_bytes(32)
_memory: OrderedDict[bytes, None] = OrderedDict()
_memory_guard = threading.Lock()
_tries = tuple(threading.Lock() for _ in range(64))  # who tries a password waits for who tries one of the same name

# Of a password nobody knows: an unknown ID takes as long as a wrong password.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$3MrMSvXRZrTy6QFaI2pD9Q$k1qsewNwWtDzJYQv91ynoMIlxZEg+wSY2FKhOmve+FI"

# Passwords we draw ourselves: 59 bits, easily read out over a telephone.
DRAWN_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"
DRAWN_LENGTH = 12
_DRAWN = "drawn"
_SALT_BYTES = 8
CODE_DIGITS = 6  # of a code that is said on the phone

_keys: list[Fernet] = []
_drawn_keys: list[bytes] = []


class SealProblem(Exception):
    """A trunk password that cannot be sealed or unsealed; the message says what to do."""


def hash_password(password: str) -> str:
    """The argon2id hash of a password, as it is stored; raises ValueError on an empty or overlong one."""
    if not 1 <= len(password) <= PASSWORD_LENGTH_MAX:
        raise ValueError(f"a password has 1 to {PASSWORD_LENGTH_MAX} characters")
    return _hasher.hash(password)


def verify_password(stored: str, password: str) -> bool:
    """Whether the password is the one `stored` was made of; "" (nobody, or no password set) is never, after as long."""
    mark = _mark(stored, password)
    if _is_remembered(mark):
        return True
    is_right = _verify(stored, password)
    if is_right:
        _remember(mark)
    return is_right


@contextmanager
def one_try(name: str) -> Iterator[None]:
    """One after the other: who sends a hundred guesses at once has each of them judged after the one before it was counted."""
    with _tries[zlib.crc32(name.encode(errors="replace")) % len(_tries)]:
        yield


def is_known(stored: str, password: str) -> bool:
    """Whether this very password was found right of late: nobody guesses."""
    return _is_remembered(_mark(stored, password))


def _mark(stored: str, password: str) -> bytes:
    return hmac.digest(_memory_key, f"{stored}\0{password}".encode(errors="surrogatepass"), "sha256")


def _is_remembered(mark: bytes) -> bool:
    with _memory_guard:
        if mark in _memory:
            _memory.move_to_end(mark)
            return True
    return False


def _remember(mark: bytes) -> None:
    with _memory_guard:
        _memory[mark] = None
        while len(_memory) > REMEMBERED_MAX:
            _memory.popitem(last=False)


def _verify(stored: str, password: str) -> bool:
    is_drawn = stored.startswith(f"{_DRAWN}$")
    with _verifications:
        try:
            _hasher.verify(_NOBODY if is_drawn else stored or _NOBODY, password[:PASSWORD_LENGTH_MAX])
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return is_drawn and _is_drawn_one(stored, password)
    return bool(stored) and not is_drawn and len(password) <= PASSWORD_LENGTH_MAX


def draw_password() -> str:
    """A new password nobody chose, for a card or a recovery."""
    return "".join(secrets.choice(DRAWN_CHARACTERS) for _ in range(DRAWN_LENGTH))


def hash_drawn(password: str) -> str:
    """The hash of a password of `draw_password`, as it is stored; raises SealProblem where no key is in use.

    Argon2 makes guessing people's passwords slow; a random one cannot be guessed, and 100,000 cards are not to take an hour.
    It is keyed with the installation's secret key: a copy of the database alone lets nobody try.
    """
    salt = secrets.token_hex(_SALT_BYTES)
    return f"{_DRAWN}${salt}${_drawn_digest(salt, password)}"


def _is_drawn_one(stored: str, password: str) -> bool:
    _, salt, digest = stored.split("$")
    return hmac.compare_digest(_drawn_digest(salt, password), digest)


def _drawn_digest(salt: str, password: str) -> str:
    if not _drawn_keys:
        raise SealProblem("no secret key is in use: credentials.use_key comes first")
    text = f"{salt}${password}".encode(errors="replace")
    return hmac.digest(_drawn_keys[0], text, "sha256").hex()


def hash_code(code: str) -> str:
    """The keyed hash by which a voucher's code is found; raises SealProblem where no key is in use."""
    if not _drawn_keys:
        raise SealProblem("no secret key is in use: credentials.use_key comes first")
    return hmac.digest(_drawn_keys[0], b"voucher$" + code.encode(errors="replace"), "sha256").hex()


def sign(purpose: str, text: str) -> str:
    """The mark by which a text of ours is known again, 64 letters; raises SealProblem where no key is in use."""
    if not _drawn_keys:
        raise SealProblem("no secret key is in use: credentials.use_key comes first")
    return hmac.digest(_drawn_keys[0], f"{purpose}$".encode() + text.encode(errors="replace"), "sha256").hex()


def has_key() -> bool:
    """Whether the installation's secret key is in use."""
    return bool(_keys)


def spoken_code(callback_id: str) -> str:
    """The code that a callback says, CODE_DIGITS figures; nobody finds it without the key. Raises SealProblem where none is in use."""
    return str(int(sign("spoken code", callback_id), 16) % 10**CODE_DIGITS).zfill(CODE_DIGITS)


def use_key(secret_key: str) -> None:
    """Seal, unseal and check drawn passwords with the installation's secret key from now on; called once at the start of a process."""
    digest = hashlib.sha256(b"webcb trunk passwords\0" + secret_key.encode()).digest()
    _opened.cache_clear()
    with _memory_guard:
        _memory.clear()
    _keys[:] = [Fernet(base64.urlsafe_b64encode(digest))]
    _drawn_keys[:] = [hashlib.sha256(b"webcb drawn passwords\0" + secret_key.encode()).digest()]


def seal(password: str) -> str:
    """A trunk password as it is stored; "" stays "". Raises SealProblem where no key is in use."""
    return _key().encrypt(password.encode()).decode() if password else ""


def unseal(sealed: str) -> str:
    """The trunk password; raises SealProblem where it was sealed with another key."""
    return _opened(sealed) if sealed else ""


@lru_cache(maxsize=OPENED_MAX)
def _opened(sealed: str) -> str:
    try:
        return _key().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealProblem("sealed with another secret key: set the connection's password again") from None


def _key() -> Fernet:
    if not _keys:
        raise SealProblem("no secret key is in use: credentials.use_key comes first")
    return _keys[0]
