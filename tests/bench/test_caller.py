"""One generated call against a far end that the test plays by hand."""

import socket
import struct
from collections.abc import Iterator

import pytest

from ivr.bench import sip
from ivr.bench.caller import PROMPT_WITHIN, Caller
from ivr.bench.flow import SIGNATURE_OFFSET, signature
from ivr.bench.line import FRAME, SECOND, State
from ivr.bench.stats import Samples
from media.codecs import PCMA

OFFER = sip.Offer("sip:bench@127.0.0.1:5060", "127.0.0.1", 5099, "0123456789abcdef@127.0.0.1")


class FarEnd:
    def __init__(self) -> None:
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.rtp.settimeout(10)
        self.sip: list[bytes] = []
        self.samples = Samples()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.caller = Caller(OFFER, self.socket, self.sip.append, self.samples, seed=1)
        self.sequence = 65530

    def answer(self, status: int = 200, at: int = 0) -> None:
        lines = self.sip[0].decode().splitlines()
        fields = [line for line in lines if line.startswith(("Via", "From", "Call-ID", "CSeq"))]
        ours = ["To: <sip:bench@127.0.0.1>;tag=t", "Contact: <sip:b@127.0.0.1:5060>"]
        head = "\r\n".join([f"SIP/2.0 {status} X", *fields, *ours])
        port = self.rtp.getsockname()[1]
        body = f"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 8 101\r\n"
        self.caller.responded(f"{head}\r\n\r\n{body}".encode(), status, SECOND, at)

    def packet(self, payload: bytes, at: int, skip: int = 0) -> None:
        self.sequence = (self.sequence + 1 + skip) & 0xFFFF
        data = bytearray(struct.pack("!BBHII", 0x80, 8, self.sequence, 0, 7) + payload)
        self.caller.packet(data, len(data), at, at)

    def close(self) -> None:
        self.rtp.close()
        self.socket.close()


@pytest.fixture
def far() -> Iterator[FarEnd]:
    far = FarEnd()
    yield far
    far.close()


def prompt(name: str) -> bytes:
    payload = bytearray(PCMA.silence)
    payload[SIGNATURE_OFFSET] = signature(name)
    return bytes(payload)


def test_a_call_hears_presses_and_measures(far: FarEnd) -> None:
    caller = far.caller
    caller.call(0)
    assert far.sip[0].startswith(b"INVITE sip:bench@127.0.0.1:5060 SIP/2.0\r\n")
    far.answer()
    assert caller.state is State.TALKING
    assert far.sip[1].startswith(b"ACK sip:b@127.0.0.1:5060 SIP/2.0\r\n")
    assert len(far.samples.setup) == 1

    far.packet(PCMA.silence, SECOND)
    far.packet(prompt("a"), SECOND + FRAME)
    now = SECOND + FRAME
    while far.samples.key_to_prompt == [] and now < 10 * SECOND:
        now += FRAME
        caller.tick(now)
        packet = far.rtp.recv(2048)
        if packet[1] & 0x7F == 101:
            assert packet[1] & 0x80  # the first packet of an event is marked
            break
    far.packet(prompt("a"), now)  # the last of the prompt cut off does not count
    assert far.samples.key_to_prompt == []
    far.packet(prompt("b"), now, skip=2)
    assert len(far.samples.key_to_prompt) == 1
    assert far.samples.lost == 2
    assert far.samples.spacing[0] == FRAME

    caller.leave(now)
    assert far.sip[-1].startswith(b"BYE sip:b@127.0.0.1:5060")
    caller.responded(b"SIP/2.0 200 OK\r\nCSeq: 2 BYE\r\n\r\n", 200, now, now)
    assert caller.state is State.OVER
    assert far.samples.failures == []


def test_an_event_ends_three_times(far: FarEnd) -> None:
    far.caller.call(0)
    far.answer()
    far.packet(prompt("a"), SECOND)
    events = []
    for tick in range(50, 200):
        far.caller.tick(tick * FRAME)
        packet = far.rtp.recv(2048)
        if packet[1] & 0x7F == 101:
            events.append((packet[1] >> 7, packet[13] >> 7, int.from_bytes(packet[14:16], "big")))
        elif events:
            break
    assert events == [(1, 0, 160), (0, 0, 320), (0, 0, 480), (0, 0, 640), (0, 0, 800), *[(0, 1, 800)] * 3]


def test_a_refusal_is_acknowledged_and_counted(far: FarEnd) -> None:
    far.caller.call(0)
    far.answer(503)
    assert far.samples.failures == ["refused with 503"]
    assert far.sip[1].startswith(b"ACK sip:bench@127.0.0.1:5060")
    assert _branch(far.sip[1]) == _branch(far.sip[0])


def test_a_prompt_that_does_not_come_is_a_failure(far: FarEnd) -> None:
    far.caller.call(0)
    far.answer()
    far.caller.tick(2 * SECOND)
    assert far.samples.failures == []
    far.caller.tick(SECOND + PROMPT_WITHIN + FRAME)
    assert far.samples.failures == ["no prompt came"]


def test_an_invite_that_was_lost_is_sent_again(far: FarEnd) -> None:
    far.caller.call(0)
    far.caller.tick(SECOND // 4)
    assert len(far.sip) == 1
    far.caller.tick(SECOND // 2)
    assert far.sip[0] == far.sip[1]


def test_a_bye_of_the_server_is_answered() -> None:
    fields = b"Via: SIP/2.0/UDP a;branch=z\r\nf: <sip:a>;tag=1\r\nt: <sip:b>;tag=2\r\ni: 1\r\nCSeq: 3 BYE\r\n"
    bye = b"BYE sip:x SIP/2.0\r\n" + fields + b"Max-Forwards: 70\r\n\r\n"
    answer = sip.ok(bye)
    assert answer == b"SIP/2.0 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n"
    assert sip.call_id_of(bye) == "1"
    assert sip.status_of(answer) == 200
    assert sip.status_of(bye) is None


def _branch(message: bytes) -> bytes:
    return message.partition(b"branch=")[2].partition(b";")[0]
