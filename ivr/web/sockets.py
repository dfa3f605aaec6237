"""The routes of calls that come by WebSockets, and what they share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter

from ivr.api.gateway import Gateway
from ivr.config import Config
from ivr.library import FlowLibrary
from ivr.metrics import Metrics
from ivr.store import Store
from ivr.web.exotel_applets import ExotelApplets
from ivr.web.exotel_calls import ExotelCalls
from ivr.web.exotel_routing import ExotelRouting
from ivr.web.exotel_sockets import ExotelSockets
from ivr.web.voice_sockets import VoiceSockets
from ivr.web.waiting_room import WaitingRoom

log = logging.getLogger(__name__)

MESSAGE_BYTES: Final = 256 * 1024
"""The longest message of a socket: one that is longer closes it (1009)."""


def socket_routes(
    config: Config, gateway: Gateway, library: FlowLibrary, store: Store, metrics: Metrics
) -> Iterator[APIRouter]:
    room = WaitingRoom()
    for name, stream in config.exotel.streams.items():
        if stream.flow is not None and library.get(stream.flow) is None:
            log.warning("exotel.streams.%s: there is no flow %s: its calls are refused", name, stream.flow)
    settings, calls, book = config.exotel, ExotelCalls(), gateway.book
    routing = ExotelRouting(config, library)
    yield VoiceSockets(gateway, room, metrics).routes()
    yield ExotelSockets(gateway, settings, routing, calls, book, room, metrics).routes()
    yield ExotelApplets(store, settings, routing, calls, book).routes()
