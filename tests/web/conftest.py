"""What the tests of the pages share: the application in this process, the real server, the real browser."""

import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import pytest
from flask import Flask
from flask.testing import FlaskClient
from selenium import webdriver

from tests import databases
from tests.ports import free_port
from tests.web import scene
from webcb import db
from webcb.web import create_app

TOP = Path(__file__).parent.parent.parent
SERVER_THREADS = 12
START_SECONDS_MAX = 20
WINDOW_HEIGHT = 1400
WINDOW_WIDTH_MIN = 500  # a window cannot be narrower: a phone is emulated
SCRIPT_SETTING = "profile.managed_default_content_settings.javascript"


@pytest.fixture(scope="session")
def scene_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the scene, built once."""
    chosen = scene.settings(tmp_path_factory.mktemp("scene"))
    scene.build(chosen)
    return Path(chosen.database.removeprefix("sqlite:///"))


@pytest.fixture(scope="session")
def scene_on_postgresql(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database of that server with the scene, to be copied."""
    name = databases.make_empty(postgresql_url, "scene")
    url = databases.within(postgresql_url, name)
    scene.build(scene.settings(tmp_path_factory.mktemp("scene"), database_url=url))
    db.database.close()
    db.database.obj.close_idle()
    return name


@pytest.fixture
def database_of_scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh scene, of the kind that `--database` says ("": SQLite in the test's folder)."""
    if request.config.getoption("database") == "sqlite":
        shutil.copy(request.getfixturevalue("scene_file"), tmp_path)
        yield ""
        return
    template = request.getfixturevalue("scene_on_postgresql")
    with databases.database_of(request.getfixturevalue("postgresql_url"), template) as url:
        yield url


@pytest.fixture
def app(tmp_path: Path, database_of_scene: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application over a fresh scene."""
    monkeypatch.setattr(scene, "database_url", database_of_scene)
    yield create_app(scene.settings(tmp_path))
    db.database.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor."""
    return app.test_client()


@dataclass(frozen=True)
class Server:
    """A running gunicorn; `url` without a slash at its end."""

    url: str
    data_dir: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, scene_file: Path) -> Iterator[Server]:
    """The real server over a fresh scene: gunicorn with two workers of threads."""
    data_dir = tmp_path_factory.mktemp("server")
    shutil.copy(scene_file, data_dir)
    db.connect(scene.settings(data_dir).database)
    with serving(data_dir) as started:
        yield started
    db.database.close()


@contextmanager
def serving(data_dir: Path) -> Iterator[Server]:
    """gunicorn over the installation in this folder, until the block ends."""
    port = free_port()
    own = {
        "WEBCB_DATA_DIR": str(data_dir),
        "WEBCB_SECRET_KEY": scene.SECRET_KEY,
        "WEBCB_HTTP_THREADS": str(SERVER_THREADS),
    }
    arguments = (
        f"--workers 2 --worker-class gthread --threads {SERVER_THREADS} --graceful-timeout 1 --log-level warning"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}", *arguments.split()],
        cwd=TOP,
        env={name: value for name, value in os.environ.items() if not name.startswith("WEBCB_")} | own,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _await_health(url, process)
        yield Server(url, data_dir)
    finally:
        process.terminate()
        process.wait(20)


def _await_health(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(START_SECONDS_MAX * 10):
        assert process.poll() is None, "gunicorn did not start"
        try:
            with urllib.request.urlopen(f"{url}/healthz"):
                return
        except (URLError, ConnectionError):
            threading.Event().wait(0.1)
    raise AssertionError("gunicorn does not answer")


def open_browser(profile: Path, *, script: bool = True) -> webdriver.Chrome:
    """A headless Chromium with a fresh profile; who opens it quits it."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
        f"--window-size=1280,{WINDOW_HEIGHT}",
    ):
        options.add_argument(flag)
    if not script:
        options.add_experimental_option("prefs", {SCRIPT_SETTING: 2})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def dress(driver: webdriver.Chrome, *, width: int = 1280, dark: bool = False, still: bool = False) -> None:
    """Make the browser one of this width, with a system that asks for light or dark, and `still`: for no motion."""
    metrics = {"width": width, "height": WINDOW_HEIGHT, "deviceScaleFactor": 1, "mobile": True}
    if width < WINDOW_WIDTH_MIN:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    else:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    motion = {"name": "prefers-reduced-motion", "value": "reduce" if still else ""}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, motion]})


@pytest.fixture(scope="module")
def opened_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for the tests of a file."""
    profile = tmp_path_factory.mktemp("profile")
    driver = open_browser(profile)
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def browser(opened_browser: webdriver.Chrome) -> webdriver.Chrome:
    """A browser that knows nobody yet."""
    opened_browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    opened_browser.get_log("browser")
    dress(opened_browser)
    return opened_browser


@pytest.fixture
def browser_without_script(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser whose user allows no script."""
    driver = open_browser(tmp_path / "profile", script=False)
    yield driver
    driver.quit()
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
