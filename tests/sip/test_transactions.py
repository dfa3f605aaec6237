"""The transaction layer, walked through with explicit times; and a property under loss."""

from __future__ import annotations

import heapq
import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.dialog import Dialog
from sip.message import Request, parse
from sip.outputs import Acked, Ended, Output, Requested, Responded, TimedOut, Transmit, Unacked, Unreachable
from sip.server_transactions import InviteServer, ServerTransaction
from sip.timers import TimerHeap, Timing
from sip.transactions import TransactionLayer
from tests.sip.sip_parts import TCP, UDP, answer, names, request, sent


def run_until(layer: TransactionLayer, end: float) -> list[tuple[float, str]]:
    """Polls at each due time up to `end` and tells what came when."""
    log: list[tuple[float, str]] = []
    while (due := layer.due) is not None and due <= end:
        log += [(round(due, 3), name) for name in names(layer.poll(due))]
    return log


def served(outputs: list[Output]) -> ServerTransaction:
    (event,) = [output for output in outputs if isinstance(output, Requested)]
    return event.transaction


# Client, INVITE


def test_unanswered_invite_is_repeated_with_doubling_gaps_and_times_out_after_32_s() -> None:
    layer = TransactionLayer()
    _, out = layer.send(request(), UDP, 0.0)
    assert names(out) == ["> INVITE"]
    log = run_until(layer, 100)
    assert log[:-2] == [(t, "> INVITE") for t in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert log[-2:] == [(32.0, "TimedOut"), (32.0, "Ended")]
    assert len(layer) == 0
    assert len(layer.timers) == 0


def test_invite_over_a_reliable_transport_is_sent_once() -> None:
    layer = TransactionLayer()
    layer.send(request(), TCP, 0.0)
    assert run_until(layer, 100) == [(32.0, "TimedOut"), (32.0, "Ended")]


def test_provisional_response_stops_repeats_and_the_timeout() -> None:
    layer = TransactionLayer()
    invite = request()
    layer.send(invite, UDP, 0.0)
    assert names(layer.receive(answer(invite, 180), UDP, 0.2)) == ["Responded"]
    assert layer.due is None
    assert len(layer) == 1


def test_refusal_is_acked_here_and_again_for_each_repetition_for_32_s() -> None:
    layer = TransactionLayer()
    invite = request(extra="Route: <sip:proxy.example;lr>\r\n")
    layer.send(invite, UDP, 0.0)
    out = layer.receive(answer(invite, 486, tag="busy"), UDP, 1.0)
    assert names(out) == ["> ACK", "Responded"]
    (ack,) = sent(out)
    assert isinstance(ack, Request)
    assert ack.via.branch == "z9hG4bK-1"
    assert ack.to.tag == "busy"
    assert str(ack.cseq) == "1 ACK"
    assert ack.headers.get("Route") == "<sip:proxy.example;lr>"
    assert names(layer.receive(answer(invite, 486, tag="busy"), UDP, 1.5)) == ["> ACK"]
    assert run_until(layer, 100) == [(33.0, "Ended")]


def test_refusal_over_tcp_ends_the_transaction_at_once() -> None:
    layer = TransactionLayer()
    invite = request()
    layer.send(invite, TCP, 0.0)
    assert names(layer.receive(answer(invite, 603), TCP, 1.0)) == ["> ACK", "Responded", "Ended"]
    assert len(layer) == 0


def test_each_2xx_reaches_the_user_until_timer_m_and_other_finals_do_not() -> None:
    layer = TransactionLayer()
    invite = request()
    layer.send(invite, UDP, 0.0)
    assert names(layer.receive(answer(invite, 200, tag="a"), UDP, 1.0)) == ["Responded"]
    assert names(layer.receive(answer(invite, 200, tag="a"), UDP, 1.5)) == ["Responded"]
    assert names(layer.receive(answer(invite, 200, tag="fork"), UDP, 2.0)) == ["Responded"]
    assert names(layer.receive(answer(invite, 487), UDP, 2.5)) == []
    assert run_until(layer, 100) == [(33.0, "Ended")]
    assert layer.receive(answer(invite, 200, tag="a"), UDP, 40.0) == []


def test_unreachable_neighbour_ends_what_waits_for_it() -> None:
    layer = TransactionLayer()
    layer.send(request(), TCP, 0.0)
    layer.send(request("OPTIONS", branch="z9hG4bK-2"), UDP, 0.0)
    out = layer.unreachable(TCP, 0.1)
    assert names(out) == ["Unreachable", "Ended"]
    assert isinstance(out[0], Unreachable)
    assert out[0].transaction.request.method == "INVITE"
    assert len(layer) == 1


def test_cancel_goes_the_way_of_its_invite() -> None:
    layer = TransactionLayer()
    invite = request(extra="Route: <sip:proxy.example;lr>\r\nRoute: <sip:second.example;lr>\r\n")
    client, _ = layer.send(invite, UDP, 0.0)
    layer.receive(answer(invite, 180, tag="early"), UDP, 0.1)
    (cancel,) = sent(layer.cancel(client, 1.0)[1])
    assert isinstance(cancel, Request)
    assert cancel.uri == invite.uri
    assert [via.branch for via in cancel.vias] == ["z9hG4bK-1"]
    assert cancel.to.tag is None
    assert str(cancel.cseq) == "1 CANCEL"
    assert [route.uri.host for route in cancel.routes] == ["proxy.example", "second.example"]


# Client, other methods


def test_unanswered_bye_is_repeated_up_to_t2_and_times_out() -> None:
    layer = TransactionLayer()
    layer.send(request("BYE"), UDP, 0.0)
    log = run_until(layer, 100)
    repeats = [t for t, name in log if name == "> BYE"]
    assert repeats == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert log[-2:] == [(32.0, "TimedOut"), (32.0, "Ended")]


def test_provisional_response_slows_a_non_invite_to_t2() -> None:
    layer = TransactionLayer()
    bye = request("BYE")
    layer.send(bye, UDP, 0.0)
    layer.receive(answer(bye, 100), UDP, 0.1)
    assert [t for t, name in run_until(layer, 10) if name == "> BYE"] == [0.5, 4.5, 8.5]


def test_final_response_is_told_once_and_the_rest_absorbed_for_t4() -> None:
    layer = TransactionLayer()
    bye = request("BYE")
    layer.send(bye, UDP, 0.0)
    assert names(layer.receive(answer(bye, 200), UDP, 1.0)) == ["Responded"]
    assert names(layer.receive(answer(bye, 200), UDP, 1.1)) == []
    assert run_until(layer, 100) == [(6.0, "Ended")]


def test_a_response_of_another_method_with_the_same_branch_is_not_mine() -> None:
    layer = TransactionLayer()
    layer.send(request("INVITE"), UDP, 0.0)
    assert layer.receive(answer(request("CANCEL"), 200), UDP, 0.1) == []


# Server, INVITE


def test_repeated_invite_is_the_same_call_and_gets_the_last_response_again() -> None:
    layer = TransactionLayer()
    invite = request()
    out = layer.receive(invite, UDP, 0.0)
    assert names(out) == ["Requested"]
    server = served(out)
    assert layer.receive(request(), UDP, 0.1) == []
    assert names(layer.respond(server, answer(invite, 180), 0.2)) == ["> 180"]
    assert names(layer.receive(request(), UDP, 0.5)) == ["> 180"]
    layer.respond(server, answer(invite, 200), 0.6)
    assert layer.receive(request(), UDP, 0.7) == []


def test_refusal_is_repeated_until_the_ack_which_is_absorbed() -> None:
    layer = TransactionLayer()
    invite = request()
    server = served(layer.receive(invite, UDP, 0.0))
    assert names(layer.respond(server, answer(invite, 486), 0.0)) == ["> 486"]
    assert run_until(layer, 4) == [(0.5, "> 486"), (1.5, "> 486"), (3.5, "> 486")]
    assert names(layer.receive(request(), UDP, 4.1)) == ["> 486"]
    assert layer.receive(request("ACK", to_tag="bob"), UDP, 4.2) == []
    assert layer.receive(request("ACK", to_tag="bob"), UDP, 4.3) == []
    assert run_until(layer, 100) == [(9.2, "Ended")]


def test_refusal_without_ack_ends_after_32_s() -> None:
    layer = TransactionLayer()
    invite = request()
    server = served(layer.receive(invite, UDP, 0.0))
    layer.respond(server, answer(invite, 486), 0.0)
    log = run_until(layer, 100)
    assert [t for t, name in log if name == "> 486"] == [
        0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5,
    ]  # fmt: skip
    assert log[-1] == (32.0, "Ended")


@pytest.mark.parametrize("hop", [UDP, TCP])
def test_2xx_is_repeated_over_every_transport_until_acknowledged(hop: object) -> None:
    layer = TransactionLayer()
    invite = request()
    server = served(layer.receive(invite, hop, 0.0))  # type: ignore[arg-type]
    layer.respond(server, answer(invite, 200), 0.0)
    assert run_until(layer, 2) == [(0.5, "> 200"), (1.5, "> 200")]
    out = layer.receive(request("ACK", branch="z9hG4bK-ack", to_tag="bob"), UDP, 2.0)
    assert names(out) == ["Acked"]
    assert isinstance(server, InviteServer)
    assert not server.acknowledged
    server.acknowledge()
    assert server.acknowledged
    assert run_until(layer, 100) == [(32.0, "Ended")]
    assert len(layer.timers) == 0


def test_2xx_without_ack_is_reported_after_32_s() -> None:
    layer = TransactionLayer()
    invite = request()
    server = served(layer.receive(invite, UDP, 0.0))
    layer.respond(server, answer(invite, 200), 0.0)
    log = run_until(layer, 100)
    assert log[-2:] == [(32.0, "Unacked"), (32.0, "Ended")]
    assert len(layer.timers) == 0


def test_487_after_200_is_dropped() -> None:
    layer = TransactionLayer()
    invite = request()
    server = served(layer.receive(invite, UDP, 0.0))
    layer.respond(server, answer(invite, 200), 0.0)
    assert layer.respond(server, answer(invite, 487), 0.1) == []


def test_cancel_finds_its_invite_and_only_its_own() -> None:
    layer = TransactionLayer()
    server = served(layer.receive(request(), UDP, 0.0))
    assert layer.cancelled_by(request("CANCEL")) is server
    assert layer.cancelled_by(request("CANCEL", branch="z9hG4bK-2")) is None
    assert layer.cancelled_by(request("CANCEL", sent_by="198.51.100.9:5060")) is None


def test_the_same_request_over_two_paths_is_merged() -> None:
    layer = TransactionLayer()
    first = served(layer.receive(request(branch="z9hG4bK-a"), UDP, 0.0))
    second = served(layer.receive(request(branch="z9hG4bK-b"), UDP, 0.1))
    assert not layer.merged(first)
    assert layer.merged(second)
    third = served(layer.receive(request(branch="z9hG4bK-c", from_tag="other"), UDP, 0.2))
    assert not layer.merged(third)


def test_rfc_2543_client_without_cookie_is_matched_by_its_headers() -> None:
    layer = TransactionLayer()
    server = served(layer.receive(request(branch="1"), UDP, 0.0))
    assert layer.receive(request(branch="1"), UDP, 0.1) == []
    other = served(layer.receive(request(branch="1", cseq=2), UDP, 0.2))
    assert other is not server
    layer.respond(server, answer(server.request, 486), 0.3)
    assert layer.receive(request("ACK", branch="1", to_tag="bob"), UDP, 0.4) == []
    assert layer.cancelled_by(request("CANCEL", branch="1", cseq=2)) is other


# Server, other methods


def test_repeated_bye_gets_the_same_answer_for_32_s() -> None:
    layer = TransactionLayer()
    bye = request("BYE", to_tag="bob")
    server = served(layer.receive(bye, UDP, 0.0))
    assert layer.receive(bye, UDP, 0.1) == []
    layer.respond(server, answer(bye, 200), 0.2)
    assert names(layer.receive(bye, UDP, 0.5)) == ["> 200"]
    assert run_until(layer, 100) == [(32.2, "Ended")]


def test_bye_over_tcp_is_forgotten_once_answered() -> None:
    layer = TransactionLayer()
    bye = request("BYE", to_tag="bob")
    server = served(layer.receive(bye, TCP, 0.0))
    assert names(layer.respond(server, answer(bye, 200), 0.2)) == ["> 200", "Ended"]
    assert len(layer) == len(layer.timers) == 0


# Timers


def test_cancelled_timers_neither_run_nor_count() -> None:
    heap, ran = TimerHeap(), []
    first = heap.set(1.0, lambda now: ran.append("first"))
    heap.set(2.0, lambda now: ran.append("second"))
    heap.cancel(first)
    heap.cancel(first)
    assert len(heap) == 1
    assert heap.due == 2.0
    heap.run(5.0)
    assert ran == ["second"]
    assert len(heap) == 0


def test_a_timer_set_by_a_timer_for_the_past_runs_in_the_same_turn() -> None:
    heap, ran = TimerHeap(), []
    heap.set(1.0, lambda now: heap.set(2.0, lambda later: ran.append(later)) and None)
    heap.run(3.0)
    assert ran == [3.0]


# Two layers over a bad network


class Network:
    """Carries datagrams between two layers with loss, duplicates and reordering, in virtual time."""

    def __init__(self, seed: int, loss: float, heal_at: float) -> None:
        self.random = random.Random(seed)
        self.loss = loss
        self.heal_at = heal_at
        self.queue: list[tuple[float, int, str, bytes]] = []
        self.order = count()

    def carry(self, to: str, data: bytes, now: float) -> None:
        bad = now < self.heal_at
        if bad and self.random.random() < self.loss:
            return
        for _ in range(2 if bad and self.random.random() < 0.2 else 1):
            delay = self.random.uniform(0.001, 0.8 if bad else 0.05)
            heapq.heappush(self.queue, (now + delay, next(self.order), to, data))


class Caller:
    """Places a call, acknowledges each 2xx, hangs up when answered."""

    def __init__(self) -> None:
        self.layer = TransactionLayer(Timing())
        self.finals: set[int] = set()
        self.bye: list[str] = []
        self.dialog: Dialog | None = None
        self.branches = count()

    def start(self, now: float) -> list[Output]:
        return self.layer.send(request(extra="Contact: <sip:alice@192.0.2.1>\r\n"), UDP, now)[1]

    def react(self, output: Output, now: float) -> list[Output]:
        match output:
            case Responded(transaction, response) if transaction.request.method == "INVITE":
                if response.status >= 200:
                    self.finals.add(response.status)
                if not 200 <= response.status < 300:
                    return []
                first = self.dialog is None
                if first:
                    self.dialog = Dialog.from_response(transaction.request, response)
                assert self.dialog is not None
                out: list[Output] = [Transmit(self._via(self.dialog.ack(1)).to_bytes(), UDP)]
                if first:
                    out += self.layer.send(self._via(self.dialog.request("BYE")), UDP, now)[1]
                return out
            case Responded(_, response):
                self.bye.append(str(response.status))
            case TimedOut():
                self.bye.append("timeout")
        return []

    def _via(self, message: Request) -> Request:
        branch = f"z9hG4bK-x{next(self.branches)}"
        message.headers.prepend("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch={branch}")
        return message


class Callee:
    """Answers or refuses once per call, whatever is repeated."""

    def __init__(self, status: int) -> None:
        self.layer = TransactionLayer(Timing())
        self.status = status
        self.calls = 0
        self.byes = 0
        self.acks = 0
        self.unacked = 0
        self.server: InviteServer | None = None

    def react(self, output: Output, now: float) -> list[Output]:
        match output:
            case Requested(InviteServer() as server):
                self.calls += 1
                self.server = server
                out = self.layer.respond(server, answer(server.request, 180), now)
                final = answer(server.request, self.status, extra="Contact: <sip:bob@192.0.2.2>")
                return out + self.layer.respond(server, final, now)
            case Requested(server):
                self.byes += 1
                return self.layer.respond(server, answer(server.request, 200, tag=None), now)
            case Acked():
                self.acks += 1
                if self.server is not None:
                    self.server.acknowledge()
            case Unacked():
                self.unacked += 1
        return []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), loss=st.sampled_from([0.0, 0.2, 0.5]), status=st.sampled_from([200, 486]))
def test_a_call_over_a_bad_network_is_one_call_and_leaves_nothing(
    seed: int, loss: float, status: int
) -> None:
    network = Network(seed, loss, heal_at=6.0)
    caller, callee = Caller(), Callee(status)
    ends: dict[str, Caller | Callee] = {"caller": caller, "callee": callee}

    def perform(name: str, outputs: list[Output], now: float) -> None:
        pending = list(outputs)
        while pending:
            output = pending.pop(0)
            if isinstance(output, Transmit):
                network.carry("callee" if name == "caller" else "caller", output.data, now)
            elif not isinstance(output, Ended):
                pending += ends[name].react(output, now)

    perform("caller", caller.start(0.0), 0.0)
    for _ in range(3000):
        times = [end.layer.due for end in ends.values()] + [network.queue[0][0] if network.queue else None]
        waiting = [time for time in times if time is not None]
        if not waiting:
            break
        now = min(waiting)
        if network.queue and network.queue[0][0] <= now:
            _, _, to, data = heapq.heappop(network.queue)
            perform(to, ends[to].layer.receive(parse(data), UDP, now), now)
        for name, end in ends.items():
            perform(name, end.layer.poll(now), now)

    assert not network.queue
    assert callee.calls == 1
    assert caller.finals == {status}
    if status == 200:
        assert callee.byes == 1
        assert caller.bye == ["200"]
        assert callee.acks >= 1
        assert callee.unacked == 0
    for end in ends.values():
        assert len(end.layer) == 0
        assert len(end.layer.timers) == 0
