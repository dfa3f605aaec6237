"""A small backend for the shipped flows, to try them with and to begin your own from. Standard library only.

    ivr serve                                     # the flows and endpoints of ivr.yaml
    python examples/backend.py                    # answers them at http://127.0.0.1:9000
    curl -X POST http://127.0.0.1:9000/dispatch -d '{"order": "48213", "pickup": "Sharma Foods",
         "at": [18.52, 73.86], "fee": 45}'

`/dispatch` offers an order to the rider nearest to the pickup, by a call with the flow rider-assignment.
Whoever refuses, says nothing or does not pick up is followed by the next nearest, until one takes it or all
were asked.
Requests of flows come at least once: the same one twice changes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]
PlaceCall = Callable[[Json, str], str]
"""Places a call by what the API wants to know and a key against repetition; gives the path of its record."""


@dataclass(frozen=True)
class Rider:
    name: str
    to: str
    """A number as the trunk wants it, or a SIP address."""
    at: tuple[float, float]
    """Latitude and longitude, in degrees."""
    language: str = "hi"


@dataclass
class Order:
    order: str
    pickup: str
    at: tuple[float, float]
    fee: float
    asked: list[str] = field(default_factory=list)
    asking: Rider | None = None
    rider: str | None = None


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Along the surface of the earth (haversine formula, mean radius 6371 km)."""
    north, east = math.radians(b[0] - a[0]), math.radians(b[1] - a[1])
    h = math.sin(north / 2) ** 2
    h += math.cos(math.radians(a[0])) * math.cos(math.radians(b[0])) * math.sin(east / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(h))


class Dispatcher:
    """Who is offered which order. `place_call` calls a rider, `record` reads the record of that call."""

    def __init__(self, riders: list[Rider], place_call: PlaceCall, record: Callable[[str], Json]) -> None:
        self._riders = riders
        self._place_call = place_call
        self._record = record
        self._orders: dict[str, Order] = {}
        self._lock = threading.Lock()

    def dispatch(self, order: Order) -> Json:
        with self._lock:
            known = self._orders.setdefault(order.order, order)
        if known is order:
            self._offer(order)
        return self.state(order.order)

    def state(self, number: str) -> Json:
        with self._lock:
            order = self._orders[number]
            asking = None if order.asking is None else order.asking.name
            return {"order": number, "asked": list(order.asked), "asking": asking, "rider": order.rider}

    def assign(self, number: str, rider: str) -> Json:
        """Whether the order is his: it is, unless it has gone to another."""
        with self._lock:
            order = self._orders.get(number)
            if order is not None and order.rider is None and rider in order.asked:
                order.rider, order.asking = rider, None
            return {"assigned": order is not None and order.rider == rider}

    def passed(self, number: str, rider: str) -> None:
        """This rider does not take it: the next one is asked, once."""
        with self._lock:
            order = self._orders.get(number)
            asking = None if order is None else order.asking
            if order is None or asking is None or asking.name != rider:
                return
            order.asking = None
        self._offer(order)

    def _offer(self, order: Order) -> None:
        with self._lock:
            if order.rider is not None or order.asking is not None:
                return
            left = [rider for rider in self._riders if rider.name not in order.asked]
            if not left:
                print(f"order {order.order}: nobody takes it")
                return
            rider = min(left, key=lambda one: distance_km(one.at, order.at))
            order.asking = rider
            order.asked.append(rider.name)
        params = {
            "rider": rider.name, "order": order.order, "pickup": order.pickup, "fee": order.fee,
            "distance_km": max(1, round(distance_km(rider.at, order.at))), "language": rider.language,
        }  # fmt: skip
        print(f"order {order.order}: offered to {rider.name}")
        call = {"to": rider.to, "flow": "rider-assignment", "params": params}
        try:
            href = self._place_call(call, f"{order.order}-{rider.to}")
        except OSError as error:
            print(f"order {order.order}: {rider.name} cannot be called: {error}")
            self.passed(order.order, rider.name)
            return
        threading.Thread(target=self._follow, args=(order.order, rider.name, href), daemon=True).start()

    def _follow(self, number: str, rider: str, href: str) -> None:
        """A call that nobody answers has no flow that could ask for the next rider."""
        while self.state(number)["asking"] == rider:
            time.sleep(1.0)
            try:
                if self._record(href)["state"] == "ended":
                    self.passed(number, rider)
            except OSError as error:
                print(f"order {number}: {error}")


class Backend:
    """What each endpoint of ivr.yaml answers. Put your own systems behind these."""

    def __init__(self, dispatcher: Dispatcher, pin: str = "4821") -> None:
        self._dispatcher = dispatcher
        self._pin = pin
        self.routes: dict[str, Callable[[Json], Json | None]] = {
            "/dispatch": lambda body: dispatcher.dispatch(Order(**body)),
            "/assign": lambda body: dispatcher.assign(body["order"], body["rider"]),
            "/next": lambda body: dispatcher.passed(body["order"], body["rider"]),
            "/status": self._status,
            "/pin": lambda body: {"known": body["pin"] == self._pin},
            "/dashboard": self._dashboard,
            "/orders": self._told,
            "/tickets": self._told,
        }

    def _status(self, body: Json) -> Json:
        states = ("preparing", "on_the_way", "delivered")
        return {"order": {"state": states[int(body["order"]) % 3], "minutes": 20}}

    def _dashboard(self, body: Json) -> Json:
        """A real one would also show the view on a screen."""
        return {"today": {"number": 12, "amount": 18450}, "waiting": {"number": 3, "amount": 900}}.get(
            body["show"], {"number": 12, "amount": 18450}
        )

    def _told(self, body: Json) -> None:
        print(json.dumps(body, ensure_ascii=False))


def serve(backend: Backend, port: int) -> ThreadingHTTPServer:
    """An HTTP server at a port of this machine (0: any free one); `serve_forever` runs it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}"))

        def do_GET(self) -> None:
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def _answer(self, body: Json) -> None:
            route = backend.routes.get(urlsplit(self.path).path)
            try:
                answer, status = (None, 404) if route is None else (route(body), 200)
            except (KeyError, TypeError, ValueError) as error:
                answer, status = {"error": repr(error)}, 422
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(204 if status == 200 and answer is None else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def gateway(url: str, key: str) -> tuple[PlaceCall, Callable[[str], Json]]:
    """The server's API: how calls are placed, and how their records are read."""

    def ask(path: str, body: Json | None = None, headers: dict[str, str] | None = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **(headers or {})}
        with urllib.request.urlopen(urllib.request.Request(url + path, data, sent), timeout=10) as answer:
            found: Json = json.load(answer)
        return found

    def place_call(call: Json, once: str) -> str:
        href: str = ask("/api/voice/call/initiate", call, {"Idempotency-Key": once})["href"]
        return href

    return place_call, ask


RIDERS = [
    Rider("राहुल", "sip:rahul@127.0.0.1:5070", (18.53, 73.85)),
    Rider("संतोष", "sip:santosh@127.0.0.1:5070", (18.55, 73.89), "mr"),
    Rider("Imran", "sip:imran@127.0.0.1:5070", (18.49, 73.82), "en"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="A small backend for the shipped flows.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--api", default="http://127.0.0.1:8080", help="where the server's API is")
    parser.add_argument(
        "--key", default="change-me-change-me", help="a key with the scopes calls:read, calls:write"
    )
    options = parser.parse_args()
    dispatcher = Dispatcher(RIDERS, *gateway(options.api, options.key))
    with serve(Backend(dispatcher), options.port) as server:
        print(f"answers at http://127.0.0.1:{server.server_port}")
        server.serve_forever()


if __name__ == "__main__":
    main()
