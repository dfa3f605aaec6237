"""The steps of a switch from one model to another. Pure: what happened in, what is to be done next out.

Beside each other, while both fit: the new model is loaded and warmed up, takes all work that comes from then
on, and the old one is unloaded once what it had begun is done. Where both do not fit, the old one goes first:
meanwhile its place is empty and the next engine of the chain serves. A new model that does not come up leaves
the old one in its place, or brings it back there.
"""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """How far a switch is."""

    LOADING = "loading"
    WARMING = "warming"
    DRAINING = "draining"
    UNLOADING = "unloading"
    ABANDONING = "abandoning"
    """The new model failed, and what there is of it goes."""
    RESTORING = "restoring"
    """The old model comes back."""
    DONE = "done"
    FAILED = "failed"


class Command(Enum):
    """What is to be done next; each but the routes and the end is answered by an `Event`."""

    LOAD_NEW = "load new"
    WARM_UP_NEW = "warm up new"
    DRAIN_OLD = "drain old"
    UNLOAD_OLD = "unload old"
    UNLOAD_NEW = "unload new"
    LOAD_OLD = "load old"
    ROUTE_NEW = "route new"
    ROUTE_NOBODY = "route nobody"
    ROUTE_OLD = "route old"


class Event(Enum):
    """How the last command went."""

    DONE = "done"
    FAILED = "failed"


class Switch:
    """One switch. `stage` and `reason` tell how it stands; `reason` is empty unless something failed."""

    def __init__(self, *, unload_first: bool = False) -> None:
        self._unload_first = unload_first
        self.stage = Stage.DRAINING if unload_first else Stage.LOADING
        self.reason = ""

    @property
    def over(self) -> bool:
        return self.stage in (Stage.DONE, Stage.FAILED)

    def begin(self) -> tuple[Command, ...]:
        if self._unload_first:
            return Command.ROUTE_NOBODY, Command.DRAIN_OLD
        return (Command.LOAD_NEW,)

    def handle(self, event: Event, reason: str = "") -> tuple[Command, ...]:
        """What is to be done after this; nothing when it is over. Unloading never fails."""
        match self.stage, event:
            case Stage.LOADING, Event.DONE:
                return self._to(Stage.WARMING, Command.WARM_UP_NEW)
            case Stage.WARMING, Event.DONE if self._unload_first:
                return self._to(Stage.DONE, Command.ROUTE_NEW)
            case Stage.WARMING, Event.DONE:
                return self._to(Stage.DRAINING, Command.ROUTE_NEW, Command.DRAIN_OLD)
            case ((Stage.LOADING | Stage.WARMING), Event.FAILED):
                self.reason = reason
                return self._to(Stage.ABANDONING, Command.UNLOAD_NEW)
            case Stage.DRAINING, _:
                return self._to(Stage.UNLOADING, Command.UNLOAD_OLD)
            case Stage.UNLOADING, _ if self._unload_first:
                return self._to(Stage.LOADING, Command.LOAD_NEW)
            case Stage.UNLOADING, _:
                return self._to(Stage.DONE)
            case Stage.ABANDONING, _ if self._unload_first:
                return self._to(Stage.RESTORING, Command.LOAD_OLD)
            case Stage.ABANDONING, _:
                return self._to(Stage.FAILED)
            case Stage.RESTORING, Event.DONE:
                return self._to(Stage.FAILED, Command.ROUTE_OLD)
            case Stage.RESTORING, Event.FAILED:
                self.reason = f"{self.reason}; the old model does not come back either: {reason}"
                return self._to(Stage.FAILED)
        return ()

    def _to(self, stage: Stage, *commands: Command) -> tuple[Command, ...]:
        self.stage = stage
        return commands
