"""A bridge on the loopback of each address family, phones beside it, and the pure C files as a module of their own."""

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from rtpbridge import Bridge, Way
from tests.rtpbridge.building import made_once
from tests.rtpbridge.phone import Phone
from tests.rtpbridge.pure_build import compile_pure, import_pure

PORT_MIN, PORT_MAX = 20_000, 20_999  # below what the system gives to the phones


@pytest.fixture(params=["127.0.0.1", "::1"], ids=["IPv4", "IPv6"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["user space", "kernel"])
def bridge(host: str, request: pytest.FixtureRequest) -> Iterator[Bridge]:
    """By either path, and one family by the best way that this host has, the other by the one that is always there."""
    way = Way.EPOLL if ":" in host else Way.BEST
    with Bridge(host, PORT_MIN, PORT_MAX, way=way, kernel=request.param) as bridge:
        yield bridge


@pytest.fixture
def kernel_bridge(host: str) -> Iterator[Bridge]:
    with Bridge(host, PORT_MIN, PORT_MAX, kernel=True) as bridge:
        assert bridge.kernel_state() == (True, ""), "these tests need CAP_BPF and CAP_NET_ADMIN, and Linux 6.6"
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
    return import_pure(made_once(tmp_path_factory, "pure", compile_pure))
