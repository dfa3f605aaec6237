"""Live calls of browsers, by their sessions: begun by a token, changed and ended by the secret that it was
changed into. What happens in a call is told to its page on the data channel."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from ivr.api.gateway import Gateway, NoCapacity
from ivr.feed import BEGAN, ENDED, Following, TooManyFollowers
from ivr.metrics import Metrics
from ivr.web.book import FlowCall, Purpose, Supervision, digest_of, leg_info
from ivr.web.call_events import CallEvents
from ivr.web.config import Web
from ivr.web.sessions import RETRY_S
from ivr.web.terms import terms_of
from media.leg import Cause, Party
from webrtc.description import parse_offer
from webrtc.leg import WebLeg

log = logging.getLogger(__name__)

TRUNK: Final = "web"
"""What the record of such a call has for a trunk."""

_UNTOLD: Final = 200
"""Events that wait for the data channel to open, or to open again; of more the oldest are lost."""

_ENDED_S: Final = 15.0
"""How long a call that is over may take to have its record complete, which is when its page is told the
end."""


class UnknownSession(Exception):
    """No call of this session is live here."""

    def __init__(self) -> None:
        super().__init__("there is no live call of this session: it has ended, or has not begun")


class WrongSecret(Exception):
    """The secret is not the session's."""

    def __init__(self) -> None:
        super().__init__("the secret is not the one that the session began with")


@dataclass(frozen=True, slots=True)
class Begun:
    """What a page is answered that began a call."""

    session_id: str
    call_id: str
    secret: str
    sdp: str
    reconnect_s: float


class Browsers:
    """All web legs of the node."""

    def __init__(self, gateway: Gateway, settings: Web, metrics: Metrics) -> None:
        self._gateway = gateway
        self._settings = settings
        self._metrics = metrics
        self._live: dict[str, _Browser] = {}

    @property
    def live(self) -> int:
        return len(self._live)

    async def begin(self, token: str, sdp: str) -> Begun:
        """Redeems the token, and begins the call that it is for. Raises `TokenRefused`, `SdpRefused`,
        `CandidateRefused`, `NoIcePorts`, and as `Gateway.serve`.

        The offer is read first: with one that cannot be taken the token is still good."""
        offer = parse_offer(sdp)
        session_id, purpose = self._gateway.book.redeem(token, time.time())
        secret = secrets.token_urlsafe(24)
        browser = _Browser(digest_of(secret))
        leg = browser.leg = WebLeg(
            leg_info(session_id, purpose, TRUNK),
            self._gateway.plane,
            offer,
            terms_of(self._settings),
            browser.over,
            browser.opened,
            lambda: self._metrics.web_refused("message"),
        )
        feed = ExitStack()
        try:
            answer = await leg.accept()
            call_id = await self._place(leg, purpose)
            # At once: the call has not taken its first step yet, and nothing of it is missed.
            following = feed.enter_context(self._gateway.feed.follow(call_id))
        except BaseException as error:
            leg.end(Cause.FAILED)
            leg.part_with()
            await leg.wait_closed()
            if isinstance(error, TooManyFollowers):
                raise NoCapacity(RETRY_S, str(error)) from error
            raise
        self._live[session_id] = browser
        telling = _tell(browser, following, call_id, purpose) if isinstance(purpose, FlowCall) else None
        browser.telling = asyncio.create_task(self._attend(session_id, browser, feed, telling))
        leg.begin()
        return Begun(session_id, call_id, secret, answer, self._settings.reconnect_s)

    async def renew(self, session_id: str, secret: str, sdp: str) -> str:
        """The answer to a new offer within the call (ICE restart, or the page came back). Raises
        `UnknownSession`, `WrongSecret`, and as `WebLeg.renew`."""
        browser = self._find(session_id, secret)
        answer = await browser.leg.renew(parse_offer(sdp))
        self._metrics.web_renewed()
        return answer

    async def trickle(
        self, session_id: str, secret: str, candidates: Sequence[str | None], wait_s: float
    ) -> tuple[list[str], bool]:
        """Takes candidates of the page; gives those of ours that it was not told yet, and whether those are
        all. Without any it waits for ours. Raises `UnknownSession`, `WrongSecret`, `CandidateRefused`."""
        leg = self._find(session_id, secret).leg
        leg.add_candidates(list(candidates))
        return await leg.more_candidates(0.0 if candidates else wait_s)

    async def hang_up(self, session_id: str, secret: str) -> None:
        """Raises `UnknownSession`, `WrongSecret`."""
        self._find(session_id, secret).leg.ended()

    async def close(self) -> None:
        """Ends what is still there; the calls themselves are the desk's."""
        for browser in list(self._live.values()):
            browser.leg.end(Cause.NORMAL)
            if browser.telling is not None:
                browser.telling.cancel()
        await asyncio.gather(
            *(b.telling for b in self._live.values() if b.telling is not None), return_exceptions=True
        )

    async def _place(self, leg: WebLeg, purpose: Purpose) -> str:
        match purpose:
            case FlowCall():
                return await self._gateway.serve(leg, purpose)
            case Supervision():
                return await self._gateway.supervise(leg, purpose)

    def _find(self, session_id: str, secret: str) -> _Browser:
        browser = self._live.get(session_id)
        if browser is None:
            raise UnknownSession
        if not hmac.compare_digest(browser.digest, digest_of(secret)):
            raise WrongSecret
        return browser

    async def _attend(
        self, session_id: str, browser: _Browser, feed: ExitStack, telling: Coroutine[Any, Any, None] | None
    ) -> None:
        """Until the call is over, and its page has been told."""
        try:
            with feed:
                if telling is not None:
                    await telling
            await browser.is_over.wait()
        finally:
            del self._live[session_id]
            browser.leg.part_with()
            await browser.leg.wait_closed()


async def _tell(browser: _Browser, following: Following, call_id: str, call: FlowCall) -> None:
    """Tells the page what happens in its call, until that has ended."""
    events = CallEvents(call_id, call.flow, call.language or "")
    async for _, event in following:
        if event.kind == BEGAN:
            events = CallEvents(call_id, call.flow, event.data["language"])
        elif event.kind == ENDED:
            for told in events.ended(event.data["cause"], event.data["result"]):
                browser.tell(told)
            browser.leg.part_with(browser.last)
            return
        for told in events.of(event):
            browser.tell(told)


class _Browser:
    """One page: its leg, and what it is told."""

    def __init__(self, digest: bytes) -> None:
        self.digest: Final = digest
        self.leg: WebLeg
        self.telling: asyncio.Task[None] | None = None
        self.is_over = asyncio.Event()
        self.last: str | None = None
        self._ready: str | None = None
        self._is_open = False
        self._untold: deque[str] = deque(maxlen=_UNTOLD)
        self._deadline: asyncio.TimerHandle | None = None

    def tell(self, told: Mapping[str, Any]) -> None:
        text = json.dumps(told, ensure_ascii=False)
        if told["type"] == "ready":
            self._ready = text
        if told["type"] == "ended":
            self.last = text
        elif not self._is_open or not self.leg.tell(text):
            self._untold.append(text)

    def opened(self) -> None:
        """The page can be told: what it missed, and where it came back, of which call it is."""
        if self._is_open and self._ready is not None:
            self.leg.tell(self._ready)
        self._is_open = True
        while self._untold and self.leg.tell(self._untold[0]):
            self._untold.popleft()

    def over(self, cause: Cause, by: Party) -> None:
        self.is_over.set()
        if self.telling is not None:
            self._deadline = asyncio.get_running_loop().call_later(_ENDED_S, self.telling.cancel)
