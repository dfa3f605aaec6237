"""Keys as telephone-events: each press is heard once, at its first packet, whatever the network does."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dtmf import KEYS, DigitReceiver, DigitSender, EventPacket

END = 0x80


def event(key: str, duration: int, end: bool = False, volume: int = 10) -> bytes:
    return struct.pack("!BBH", KEYS.index(key), (END if end else 0) | volume, duration)


def press(key: str, timestamp: int, updates: int = 4) -> list[tuple[bytes, int]]:
    """The packets of one press: updates of growing duration, then the end three times."""
    going = [(event(key, 160 * (i + 1)), timestamp) for i in range(updates)]
    return going + [(event(key, 160 * (updates + 1), end=True), timestamp)] * 3


def heard(packets: list[tuple[bytes, int]], receiver: DigitReceiver | None = None) -> str:
    receiver = receiver or DigitReceiver()
    keys = (receiver.handle(payload, timestamp, 0.02 * i) for i, (payload, timestamp) in enumerate(packets))
    return "".join(key for key in keys if key is not None)


def test_a_press_is_heard_at_its_first_packet_and_never_again():
    receiver = DigitReceiver()
    packets = press("5", 8000)
    assert receiver.handle(*packets[0], 0.0) == "5"
    assert [receiver.handle(*p, 0.02 * i) for i, p in enumerate(packets[1:], 1)] == [None] * 6


def test_two_presses_of_one_key_are_two():
    assert heard(press("1", 1000) + press("1", 3000)) == "11"


@pytest.mark.parametrize("lost", [1, 4, 6])
def test_any_packet_that_is_left_tells_of_the_press(lost):
    assert heard(press("7", 1000)[lost:]) == "7"


def test_packets_of_a_press_that_come_after_the_next_one_began_are_no_new_press():
    first, second = press("1", 1000), press("2", 3000)
    assert heard([*first[:5], *second[:2], *first[5:], *second[2:]]) == "12"


def test_a_press_of_twenty_seconds_goes_on_over_its_segments():
    receiver = DigitReceiver()
    keys = []
    start, now = 0xFFFFFFFF - 20000, 0.0
    for segment in range(3):
        timestamp = (start + segment * 0xFFFF) & 0xFFFFFFFF
        durations = [*range(160, 0xFFFF, 160), 0xFFFF] if segment < 2 else [160, 320]
        for duration in durations:
            keys.append(receiver.handle(event("9", duration), timestamp, now))
            now += 0.02
    keys.append(receiver.handle(event("9", 320, end=True), (start + 2 * 0xFFFF) & 0xFFFFFFFF, now))
    assert [k for k in keys if k] == ["9"]


def test_a_press_that_was_over_is_not_continued_by_a_later_one():
    receiver = DigitReceiver()
    assert receiver.handle(event("9", 800, end=True), 0, 0.0) == "9"
    assert receiver.handle(event("9", 160), 0xFFFF, 1.0) == "9"
    assert receiver.handle(event("8", 160), 2 * 0xFFFF, 2.0) == "8"


def test_a_timestamp_may_come_again_when_the_press_is_long_over():
    receiver = DigitReceiver()
    assert receiver.handle(event("4", 160), 500, 0.0) == "4"
    assert receiver.handle(event("4", 160), 500, 1.9) is None
    assert receiver.handle(event("4", 160), 500, 4.0) == "4"


def test_volume_does_not_matter_and_other_events_are_no_keys():
    assert heard([(event("#", 160, volume=63), 1)]) == "#"
    assert heard([(struct.pack("!BBH", 16, 10, 160), 1)]) == ""  # flash
    assert heard([(b"\x01\x0a\x00", 1), (b"", 2)]) == ""


def press_with_running_timestamps(key: str, timestamp: int, growing: bool = True) -> list[tuple[bytes, int]]:
    """As some gateways send it: the timestamp goes on as in audio, also from one end packet to the next."""
    durations = [160, 320, 480, 640, 800, 800, 800] if growing else [160] * 7
    return [
        (event(key, duration, end=i >= 4), (timestamp + 160 * i) & 0xFFFFFFFF)
        for i, duration in enumerate(durations)
    ]


@pytest.mark.parametrize("growing", [True, False])
@pytest.mark.parametrize("start", [8000, 0xFFFFFFFF - 300])
def test_a_timestamp_that_runs_on_within_a_press_makes_no_second_press(growing, start):
    assert heard(press_with_running_timestamps("5", start, growing)) == "5"


def test_repeated_keys_of_such_a_sender_are_still_told_apart():
    packets = []
    for i in range(4):
        packets += press_with_running_timestamps("5", 1000 + 2000 * i)
    assert heard(packets) == "5555"


@pytest.mark.parametrize("kept", [[0, 3, 6], [1, 4], [2, 5, 6], [0, 4]])
def test_losses_do_not_double_a_key_of_such_a_sender(kept):
    packets = press_with_running_timestamps("8", 8000)
    assert heard([packets[i] for i in kept]) == "8"


def test_the_fastest_repetition_that_q24_allows_is_two_presses():
    """40 ms of key, 40 ms of pause; of the first press all end packets are lost."""
    first = [(event("2", 160), 1000), (event("2", 320), 1000)]
    second = [(event("2", 160), 1640), (event("2", 320), 1640), (event("2", 320, end=True), 1640)]
    assert heard(first + second) == "22"


@pytest.mark.parametrize("updates", [1, 4, 20])
def test_presses_whose_end_packets_are_all_lost_are_heard_once_each(updates):
    packets = []
    for i in range(3):
        packets += press("6", 1000 + 160 * (updates + 8) * i, updates)[:updates]
    assert heard(packets) == "666"


def test_presses_of_which_only_end_packets_arrive_are_heard_once_each():
    packets = []
    for i in range(3):
        packets += press("3", 1000 + 1280 * i)[-2:]
    assert heard(packets) == "333"


def test_an_end_packet_with_another_duration_is_the_same_press():
    """Some senders tell the duration once more when the key is let go, after the end."""
    assert heard([*press("4", 1000), (event("4", 1000, end=True), 1000)]) == "4"


@pytest.mark.parametrize("code", [16, 17, 64, 144, 255])
def test_events_that_are_no_keys_do_not_disturb_those_that_are(code):
    other = (struct.pack("!BBH", code, 0x8A, 400), 5000)
    assert heard([*press("1", 1000), other, *press("2", 9000), other]) == "12"


@given(st.binary(max_size=12), st.integers(0, 0xFFFFFFFF), st.floats(0, 1e6))
def test_no_payload_does_harm(payload, timestamp, now):
    assert DigitReceiver().handle(payload, timestamp, now) in (None, *KEYS)


@given(
    keys=st.text(alphabet=KEYS, min_size=1, max_size=6),
    start=st.integers(0, 0xFFFFFFFF),
    seed=st.integers(0, 1000),
)
def test_loss_duplicates_and_reordering_neither_lose_nor_double_a_key(keys, start, seed):
    chance = random.Random(seed)
    packets: list[tuple[float, bytes, int]] = []
    for i, key in enumerate(keys):
        sent = press(key, (start + 1280 * i) & 0xFFFFFFFF)
        kept = [p for p in sent if chance.random() > 0.4] or [chance.choice(sent)]
        for j, (payload, timestamp) in enumerate(kept + kept[: chance.randrange(3)]):
            # Moved by less than the distance of two presses, which keeps their first packets in order.
            packets.append((i * 8 + j / 10 + chance.random() * 3, payload, timestamp))
    packets.sort(key=lambda p: p[0])
    assert heard([(payload, timestamp) for _, payload, timestamp in packets]) == keys


def send_all(keys: str, timestamp: int = 0) -> list[EventPacket | None]:
    sender = DigitSender(160)
    sender.add(keys)
    ticks = []
    while sender.busy:
        ticks.append(sender.next(timestamp))
        timestamp = (timestamp + 160) & 0xFFFFFFFF
    return ticks


def test_a_press_starts_with_the_marker_grows_and_ends_three_times():
    ticks = send_all("6", 32000)
    packets = [t for t in ticks if t is not None]
    fields = [struct.unpack("!BBH", p.payload) for p in packets]
    assert [code for code, _, _ in fields] == [6] * 7
    assert [bool(flags & END) for _, flags, _ in fields] == [False] * 4 + [True] * 3
    assert [duration for _, _, duration in fields] == [160, 320, 480, 640, 800, 800, 800]
    assert [p.marker for p in packets] == [True] + [False] * 6
    assert {p.timestamp for p in packets} == {32000}
    assert ticks[7:] == [None]


def test_160_ms_lie_between_the_starts_of_two_presses():
    starts = [tick for tick, packet in enumerate(send_all("12#")) if packet is not None and packet.marker]
    assert starts == [0, 8, 16]


def test_what_is_sent_is_what_is_heard_across_the_wrap_of_the_timestamp():
    packets = [p for p in send_all("0123456789*#abcd", 0xFFFFFFFF - 3000) if p is not None]
    assert heard([(p.payload, p.timestamp) for p in packets]) == KEYS


def test_what_is_no_key_is_refused_as_a_whole():
    sender = DigitSender(160)
    with pytest.raises(ValueError, match="keys are"):
        sender.add("12x")
    assert not sender.busy
