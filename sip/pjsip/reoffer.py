"""Our re-INVITEs within a call of PJSIP: one at a time, tried again where the other side was faster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from sip.call_media import CallMedia
from sip.glare import retry_s
from sip.pjsip.call import ACCEPTED, Line
from sip.sdp import Direction

_TRIES: Final = 6
_RETRY_S: Final = 0.5
_ANSWER_S: Final = 40.0
"""How long an answer to our offer is waited for; PJSIP gives a transaction up after 32 s."""

_GLARE: Final = 491


class _Offer(Enum):
    """What became of one re-INVITE."""

    DONE = auto()
    BUSY = auto()
    GLARE = auto()
    FAILED = auto()


class Reoffers:
    """`direction` is what the offer under way says of our stream, None where there is none."""

    def __init__(
        self,
        media: Callable[[], CallMedia | None],
        ask: Callable[[Callable[[Line], None]], bool],
        *,
        ours: bool,
    ) -> None:
        """`media` gives that of the call while it is answered, `ask` asks PJSIP for something and gives False
        where it would not. `ours`: the call was placed by us."""
        self._media: Final = media
        self._ask: Final = ask
        self._ours: Final = ours
        self._answer: asyncio.Future[int] | None = None
        self.direction: Direction | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._answer is not None

    def answered(self, status: int) -> None:
        """The re-INVITE was answered finally, or the call is over."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    async def offer(self, direction: Direction) -> bool:
        """Whether the far end took it; else all is as it was."""
        for _ in range(_TRIES):
            match await self._once(direction):
                case _Offer.BUSY:
                    await asyncio.sleep(_RETRY_S)
                case _Offer.GLARE:
                    await asyncio.sleep(retry_s(self._ours))
                case outcome:
                    return outcome is _Offer.DONE
        return False

    async def _once(self, direction: Direction) -> _Offer:
        """Sends a re-INVITE and waits for its end, or the call's."""
        media = self._media()
        if media is None:
            return _Offer.FAILED
        if self._answer is not None or media.offering:
            return _Offer.BUSY
        answer = self._answer = asyncio.get_running_loop().create_future()
        self.direction = direction
        try:
            if not self._ask(lambda line: line.reinvite()):
                media.withdraw()
                return _Offer.BUSY
            async with asyncio.timeout(_ANSWER_S):
                status = await answer
        except TimeoutError:
            media.withdraw()
            return _Offer.FAILED
        finally:
            self._answer = self.direction = None
        if status == _GLARE:
            return _Offer.GLARE
        return _Offer.DONE if ACCEPTED <= status < 300 else _Offer.FAILED
