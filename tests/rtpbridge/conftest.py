"""A bridge on the loopback of each address family, phones beside it, and the pure C files as a module of their own."""

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from rtpbridge import Bridge, Way
from tests.rtpbridge.phone import Phone
from tests.rtpbridge.pure_build import build_pure

PORT_MIN, PORT_MAX = 20_000, 20_999  # below what the system gives to the phones


@pytest.fixture(params=["127.0.0.1", "::1"], ids=["IPv4", "IPv6"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bridge(host: str) -> Iterator[Bridge]:
    """One family by the best way that this host has, the other by the one that is always there."""
    with Bridge(host, PORT_MIN, PORT_MAX, way=Way.EPOLL if ":" in host else Way.BEST) as bridge:
        yield bridge


@pytest.fixture
def new_phone(host: str) -> Iterator[Callable[[], Phone]]:
    phones: list[Phone] = []

    def make() -> Phone:
        phones.append(Phone(host))
        return phones[-1]

    yield make
    for phone in phones:
        phone.close()


@pytest.fixture(scope="session")
def pure(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The C functions that keep no socket and no clock, built with the undefined behaviour sanitizer."""
    return build_pure(tmp_path_factory.mktemp("pure"))
