"""What `webcb demo` says to the person who started it: where, as whom, whom to call, what to try. Pure: text only."""

from collections.abc import Sequence
from dataclasses import dataclass

from webcb.demo.phones import BUSY, CALLER, FINGER, PHONES, SPEAKS, Phone, table
from webcb.demo.proxy import Softphone
from webcb.number import display_number


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can log in; the configuration of the demo says the same."""

    login: str
    password: str
    about: str


PEOPLE = (
    Person("alice", "demo-alice", "has 50.00 USD"),
    Person("bruno", "demo-bruno", "has 0.30 USD left: his calls end after some 45 seconds"),
    Person("carla", "demo-carla", "is blocked"),
    Person("diego", "demo-diego", "has expired"),
    Person("elena", "demo-elena", "calls on the account of her hotel, which may owe 100.00 USD"),
)

OPERATOR = Person("admin", "demo-admin", "is the administrator")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where everything is, in words: addresses as host:port, files as paths; `notes` are what came out otherwise than usual.

    `command` is how `webcb` is called in a shell that knows nothing of this one.
    """

    pages: str
    engine: str
    carrier: str
    config: str
    log: str
    softphones: Sequence[Softphone] = ()
    notes: Sequence[str] = ()
    command: str = "webcb"


def welcome(scene: Scene) -> str:
    """The page of text."""
    replaced = {softphone.number: softphone for softphone in scene.softphones}
    phones = tuple(_as_it_is(phone, replaced) for phone in PHONES)
    others = [softphone for softphone in scene.softphones if softphone.number not in {p.number for p in PHONES}]
    phones += tuple(Phone(each.number, "", f"is {each.uri}") for each in others)
    people = "\n".join(f"  {person.login:<8} {person.password:<12} {person.about}" for person in PEOPLE)
    notes = "".join(f"Note: {note}\n" for note in scene.notes)
    return f"""
{notes}Be called back:  http://{scene.pages}/
Your account:    http://{scene.pages}/selfcare/ as alice, demo-alice; the hotel: hotel, demo-hotel
Run the service: http://{scene.pages}/admin/ as {OPERATOR.login}, password {OPERATOR.password}

Accounts and passwords
{people}

Phones (any usual way of writing; Brazil without +55)
{table(phones)}

Four things to try
  1. As alice, be called at {display_number(CALLER.number)} and dial {display_number(SPEAKS.number)}.
     Follow the call on the page; hang up when you have heard enough.
  2. The same as bruno: watch both legs end in the second his money does.
  3. As alice, dial {display_number(BUSY.number)} (busy), +49 30 123456 (no price) or +53 7 1234567 (barred),
     and see what is said and what it costs. Then look at the books as the operator,
     or in another terminal:
       WEBCB_CONFIG={scene.config} {scene.command} xdrs
  4. "Guided by voice" for {display_number(FINGER.number)}: it follows the voice by its keys.

The engine speaks SIP at {scene.engine}, the carrier at {scene.carrier}. Log: {scene.log}
To end all of it press Ctrl-C. What happens at the phones follows here.
"""


def _as_it_is(phone: Phone, replaced: dict[str, Softphone]) -> Phone:
    softphone = replaced.get(phone.number)
    return Phone(phone.number, phone.country, f"is {softphone.uri}") if softphone else phone
