"""The voice of those who talk, before anything else of a new engine: by real rows and packets, the database and no engine beside it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.test_crash import ladder
from tests.engine.world import World
from tests.ports import MEDIA_MAX, MEDIA_MIN
from webcb import clock, models
from webcb.engine import revival
from webcb.engine.media import Media
from webcb.engine.revival import AWAY_SECONDS_MAX, open_media
from webcb.engine.steps import Steps
from webcb.engine.succession import identity
from webcb.settings import Settings, load

A, B = NUMBER_A.digits, NUMBER_B.digits
RTP = bytes([0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7]) + b"\xd5" * 160
WAIT_SECONDS = 2.0
SILENCE_SECONDS = 0.2


class Ear:
    """A socket of a phone's voice."""

    def __init__(self, ends: ExitStack) -> None:
        self.socket = ends.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def hears(self, other: "Ear", to: int, seconds: float) -> bool:
        """Whether what the other says to its port of the engine comes here."""
        self.socket.settimeout(seconds)
        other.socket.sendto(RTP, ("127.0.0.1", to))
        try:
            while True:
                if self.socket.recv(2048)[12:] == RTP[12:]:
                    return True
        except TimeoutError:
            return False


class Revived(World):
    """A world whose next engine has the voice already."""

    revived: Media | None = None

    def make_media(self, entropy: object) -> Media:
        if self.revived is None:
            return super().make_media(entropy)  # type: ignore[arg-type]
        return self.revived


@pytest.fixture
def ears() -> Iterator[tuple[Ear, Ear]]:
    with ExitStack() as ends:
        yield Ear(ends), Ear(ends)


@pytest.fixture
def world(database: str, ears: tuple[Ear, Ear], monkeypatch: pytest.MonkeyPatch) -> Iterator[Revived]:
    made = Revived(balance="5.00", first=1, following=1, price="0.60")
    for number, name, ear in zip((A, B), "AB", ears, strict=True):
        made.phone(number, name, sdp_port=ear.port)
    monkeypatch.setattr(clock, "utc_now", made.utc_now)
    monkeypatch.setattr(clock, "uptime_id", lambda: "")  # virtual moments are none of the bridge's clock
    yield made
    made.close()


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    return load(
        {
            "WEBCB_DATA_DIR": str(tmp_path),
            "WEBCB_DATABASE_URL": database,
            "WEBCB_NODE_NAME": "one",
            "WEBCB_SECRET_KEY": "the secret of this test",
            "WEBCB_RTP_PORT_MIN": str(MEDIA_MIN),
            "WEBCB_RTP_PORT_MAX": str(MEDIA_MAX),
            "WEBCB_RTP_KERNEL": "off",
        }
    )


def talk_and_crash(world: World, settings: Settings) -> str:
    callback_id = world.place()
    world.pass_seconds(20)
    assert world.row(callback_id).state == "talking"
    world.crash()
    models.Node.update(holder=identity(settings.data_dir)).execute()
    return callback_id


def flows(world: World, callback_id: str, ears: tuple[Ear, Ear], seconds: float = WAIT_SECONDS) -> bool:
    legs = world.legs(callback_id)
    return ears[1].hears(ears[0], legs["A"].rtp_port, seconds) and ears[0].hears(ears[1], legs["B"].rtp_port, seconds)


def test_they_hear_each_other_before_an_engine_is_up_and_the_engine_goes_on_with_that(
    world: Revived, settings: Settings, ears: tuple[Ear, Ear]
) -> None:
    callback_id = talk_and_crash(world, settings)
    media = open_media(settings, Steps())
    assert flows(world, callback_id, ears)
    ports = sorted(voice.port.id for _, voice in media._revived.values())
    models.Node.update(holder="").execute()
    world.revived = media
    world.engine()
    world.pass_seconds(1)
    voices = world.voices(callback_id)
    assert sorted(voice.port.id for voice in voices.values()) == ports
    assert voices["A"].joined_to is voices["B"].port
    world.request(world.phones[B], "BYE")
    assert ladder(world, "BYE") == ["21.0 A -> BYE"]
    assert not flows(world, callback_id, ears, SILENCE_SECONDS)
    media.close()


def test_what_was_agreed_on_meanwhile_is_what_holds(world: Revived, settings: Settings, ears: tuple[Ear, Ear]) -> None:
    """The row has another description than the one that was revived: the port is opened anew, as that says."""
    callback_id = talk_and_crash(world, settings)
    media = open_media(settings, Steps())
    leg = world.legs(callback_id)["A"]
    models.Leg.update(voice=leg.voice.replace('"version":1', '"version":2')).where(models.Leg.id == leg.id).execute()
    models.Node.update(holder="").execute()
    world.revived = media
    world.engine()
    world.pass_seconds(1)
    voices = world.voices(callback_id)
    assert voices["A"].version == 2
    assert voices["A"].joined_to is voices["B"].port
    assert voices["B"].joined_to is voices["A"].port
    media.close()


def _lost(callback_id: str) -> None:
    models.Callback.update(lost_at=clock.utc_now()).where(models.Callback.id == callback_id).execute()


def _of_another_installation(_callback_id: str) -> None:
    models.Node.update(holder="another").execute()


def _past_its_deadline(callback_id: str) -> None:
    models.Callback.update(deadline_at=clock.utc_now()).where(models.Callback.id == callback_id).execute()


@pytest.mark.parametrize("change", [_lost, _of_another_installation, _past_its_deadline])
def test_nobody_else_hears_anything(world: Revived, settings: Settings, ears: tuple[Ear, Ear], change: object) -> None:
    callback_id = talk_and_crash(world, settings)
    change(callback_id)  # type: ignore[operator]
    media = open_media(settings, Steps())
    assert not media._revived
    assert not flows(world, callback_id, ears, SILENCE_SECONDS)
    media.close()


def test_who_heard_nothing_for_long_has_hung_up(world: Revived, settings: Settings) -> None:
    talk_and_crash(world, settings)
    world.pass_seconds(AWAY_SECONDS_MAX + 2)
    media = open_media(settings, Steps())
    assert not media._revived
    media.close()


def test_whom_the_look_does_not_find_falls_silent(world: Revived, settings: Settings, ears: tuple[Ear, Ear]) -> None:
    callback_id = talk_and_crash(world, settings)
    media = open_media(settings, Steps())
    media.end_leftovers()
    assert not flows(world, callback_id, ears, SILENCE_SECONDS)
    media.close()


def test_a_database_that_is_away_keeps_no_engine_from_its_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise OSError("no way there")

    monkeypatch.setattr(revival, "_rows", fails)
    open_media(settings, Steps()).close()
    assert "the voice of those who talk waits until the engine is up" in caplog.text
