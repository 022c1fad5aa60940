"""Settings and servers of the whole suite: hypothesis prints its seed; a real PostgreSQL is made where a test asks for one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import databases, postgresql

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="which database the tests run on that ask for any (a fixture named database_url)",
    )
    parser.addoption(
        "--soak-seconds", type=int, default=3600, help="how long the soak of random calls and faults goes on"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL run what goes through the database; not what is about SQLite, nor what has its own PostgreSQL anyway."""
    if config.getoption("database") == "postgresql":
        left_out = [item for item in items if not _is_for_postgresql(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _is_for_postgresql(item)]


_DATABASES = ("database_url", "database", "database_of_scene")


def _is_for_postgresql(item: pytest.Item) -> bool:
    fixtures = [*getattr(item, "fixturenames", ()), *getattr(getattr(item, "callspec", None), "params", {}).values()]
    goes_through = any(each in fixtures for each in _DATABASES) and "postgresql_database" not in fixtures
    return goes_through and item.get_closest_marker("sqlite_alone") is None


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_url: str) -> str:
    """The URL of a database of that server with the tables; who uses it empties it first."""
    return databases.within(postgresql_url, databases.make_migrated(postgresql_url))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of the kind that `--database` says; on PostgreSQL its tables are there already."""
    if request.config.getoption("database") == "sqlite":
        return f"sqlite:///{tmp_path / 'webcb.sqlite'}"
    url = str(request.getfixturevalue("migrated_postgresql"))
    databases.empty(url)
    return url
