"""What the legs of this package have in common: a stream that is carried by a connection of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from media.carrying import CarriedStream, Carrier
from media.codecs import Codec
from media.leg import Answered, CallLeg, Cause, LegInfo, Party, TransferOutcome
from media.plane import RtpPlane
from media.stream_leg import StreamLeg


class CarriedLeg(StreamLeg):
    """A `CallLeg` that is always inbound and has no network of its own to transfer or hold its caller.

    Who makes it begins `stream` as soon as what is spoken is known, gives it what comes, and calls `ended`
    when the far end has gone; `on_over` is called once, when the leg is over, to close the connection.
    """

    def __init__(
        self,
        info: LegInfo,
        codec: Codec,
        plane: RtpPlane,
        carrier: Carrier,
        on_over: Callable[[Cause, Party], None],
    ) -> None:
        super().__init__(info, codec, plane.time)
        self.stream: Final[CarriedStream] = plane.carry(self, carrier)
        self._on_over = on_over

    @property
    def _stream(self) -> CarriedStream:
        return self.stream

    @property
    def over(self) -> bool:
        return self._over

    async def ring(self) -> None:
        """Nothing to tell: who calls from a page sees that it is connecting."""

    async def progress(self) -> None:
        """Media flows as soon as there is a connection."""

    async def answer(self) -> None:
        """Media flows when this returns."""
        self._put(Answered(self._now()))

    async def reject(self, cause: Cause, retry_after_s: int | None = None) -> None:
        self.end(cause)

    async def hang_up(self, cause: Cause = Cause.NORMAL) -> None:
        self.end(cause)

    def end(self, cause: Cause) -> None:
        """Hangs up at once."""
        self._finish(cause, "us")

    def ended(self, cause: Cause = Cause.NORMAL) -> None:
        """The far end has gone."""
        self._finish(cause, self._far_end)

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        """There is no network behind the caller that could call somebody else."""
        return TransferOutcome.FAILED

    async def transfer_to(self, other: CallLeg, wait_s: float) -> TransferOutcome:
        """As `transfer`: the two are bridged instead."""
        return TransferOutcome.FAILED

    async def hold(self, on: bool) -> bool:
        """There is nothing that would have to know of it."""
        return True

    def _finish(self, cause: Cause, by: Party) -> None:
        if not self._over:
            self._close(cause, by, None)
            self._on_over(cause, by)
