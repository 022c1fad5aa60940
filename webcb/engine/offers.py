"""Offers in mid-call, the peers' and ours: descriptions between user agent, voice and machine.

Which codecs a leg is asked for is leg.py's; what SDP says is media.py's. An offer of ours is on the leg's row before it leaves, so that
a process after this one knows that the peer may have agreed to it, and offers the same once more.
"""

import logging
from collections.abc import Callable
from typing import Any

from webcb.engine import events
from webcb.engine.causes import LegName
from webcb.engine.commands import Reoffer, WriteDialog
from webcb.engine.line import Line
from webcb.engine.running import Running
from webcb.sip import events as sip_events
from webcb.sip.events import SessionId
from webcb.sip.grammar import ProtocolError

log = logging.getLogger(__name__)

Heard = sip_events.Offered | sip_events.OfferAnswered | sip_events.OfferRefused


class Offers:
    """`feed` takes an event for a callback's machine."""

    def __init__(self, feed: Callable[[Running, events.Event], None]) -> None:
        self._feed = feed

    def hear(self, running: Running, leg: LegName, event: Heard) -> None:
        """What a leg's user agent told of an offer."""
        match event:
            case sip_events.Offered():
                self._offered(running, leg, event)
            case sip_events.OfferAnswered():
                self._answered(running, leg, event)
            case sip_events.OfferRefused():
                self._refused(running, leg, event)

    # The peer's

    def _offered(self, running: Running, leg: LegName, event: sip_events.Offered) -> None:
        """The peer wants another description, or ours: it is answered at once."""
        line, session = running.sessions[leg]
        voice, other = running.voices[leg], running.callback.leg("B" if leg == "A" else "A")
        try:
            answer = voice.answer_offer(event.sdp, other.codecs or running.callback.leg(leg).codecs)
        except ProtocolError as wrong:
            log.warning("callback %s: leg %s made an offer we cannot take: %s", running.id, leg, wrong)
            line.reject_offer(session, 488)
            return
        line.accept_offer(session, answer)
        self._feed(running, events.Agreed(leg, voice.is_held, line.dialog(session), voice.print(), voice.codecs))

    # Ours

    def propose(self, running: Running, reoffer: Reoffer) -> tuple[WriteDialog, Callable[[Any], None]]:
        """What is to be written before our offer leaves, and what is to be called then: it sends it."""
        line, session = running.sessions[reoffer.leg]
        voice = running.voices[reoffer.leg]
        voice.propose(reoffer.codecs)
        written = WriteDialog(reoffer.leg, line.dialog(session), voice.print())
        return written, lambda result: self._send(running, reoffer.leg, (line, session), result)

    def _send(self, running: Running, leg: LegName, there: tuple[Line, SessionId], result: Any) -> None:
        if running.sessions.get(leg) != there:
            return  # it has ended meanwhile
        if isinstance(result, Exception):
            log.error("callback %s: an offer to leg %s could not be written", running.id, leg, exc_info=result)
            self._withdraw(running, leg, superseded=False)
        elif proposed := running.voices[leg].proposed:
            there[0].offer(there[1], proposed)

    def go_on(self, running: Running, leg: LegName) -> None:
        """A process before this one had an offer open: what became of it, the peer says if it is made again."""
        line, session = running.sessions[leg]
        if proposed := running.voices[leg].proposed:
            line.offer(session, proposed)

    def _answered(self, running: Running, leg: LegName, event: sip_events.OfferAnswered) -> None:
        """The peer has answered: an offer that we made, or a description that we only repeated."""
        line, session = running.sessions[leg]
        voice = running.voices[leg]
        asked = voice.proposed == event.offer
        try:
            voice.take_answer(event.sdp, event.offer)
        except ProtocolError as wrong:  # the silence watch ends the call if it matters
            log.warning("callback %s: leg %s answered our offer unusably: %s", running.id, leg, wrong)
            if asked:
                self._withdraw(running, leg, superseded=False)
            return
        agreed = events.Agreed(leg, voice.is_held, line.dialog(session), voice.print(), voice.codecs, asked)
        self._feed(running, agreed)

    def _refused(self, running: Running, leg: LegName, event: sip_events.OfferRefused) -> None:
        """The peer has what it had; the bridge recodes."""
        if running.voices[leg].proposed == event.offer:
            log.info(
                "callback %s: leg %s keeps its codec (%d %s)", running.id, leg, event.cause.status, event.cause.text
            )
            self._withdraw(running, leg, superseded=not event.cause.status)

    def _withdraw(self, running: Running, leg: LegName, *, superseded: bool) -> None:
        line, session = running.sessions[leg]
        voice = running.voices[leg]
        voice.withdraw()
        self._feed(running, events.Declined(leg, line.dialog(session), voice.print(), superseded))
