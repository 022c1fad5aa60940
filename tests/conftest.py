"""Settings and servers of the whole suite: hypothesis prints its seed; a real PostgreSQL is made where a test asks for one."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import postgresql

settings.register_profile(
    "suite",
    deadline=None,  # two noisy cores: a slow example is not a failure
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


# An engine that a test kills would leave what it has pinned in the kernel. Where that is wanted it is switched on.
os.environ["WEBCB_RTP_KERNEL"] = "off"


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL of our own."""
    with postgresql.running() as url:
        yield url
