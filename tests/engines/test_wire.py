"""Frames survive any cutting of the stream; what is no frame is refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire import MAX_DATA_BYTES, Frame, FrameReader, Kind, WireError, encode

FRAMES = [
    Frame(Kind.OPEN, 1, {"text": "नमस्ते", "rate": 160}),
    Frame(Kind.INPUT, 1, {}, b"\x00\x01\x02"),
    Frame(Kind.FINISH, 1),
    Frame(Kind.OUTPUT, 0xFFFFFFFF, {"confidence": 0.5}, bytes(5000)),
]
STREAM = b"".join(encode(f.kind, f.job, f.fields, f.data) for f in FRAMES)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_frames_come_out_whatever_the_pieces(cuts: list[int]) -> None:
    reader = FrameReader()
    edges = [0, *sorted(cuts), len(STREAM)]
    out: list[Frame] = []
    for start, end in pairwise(edges):
        out += reader.feed(STREAM[start:end])
    assert out == FRAMES


@given(st.binary(max_size=200))
def test_nonsense_raises_nothing_but_wire_errors(data: bytes) -> None:
    with suppress(WireError):
        FrameReader().feed(data)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!BIHI", Kind.OUTPUT, 1, 0, MAX_DATA_BYTES + 1),
        struct.pack("!BIHI", 99, 1, 0, 0),
        struct.pack("!BIHI", Kind.OPEN, 1, 2, 0) + b"{]",
        struct.pack("!BIHI", Kind.OPEN, 1, 2, 0) + b"[]",
    ],
    ids=["too long", "unknown kind", "broken JSON", "no object"],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        FrameReader().feed(data)


def test_too_long_a_frame_is_never_sent() -> None:
    with pytest.raises(WireError, match="too long"):
        encode(Kind.OPEN, 1, {"text": "x" * 70_000})
