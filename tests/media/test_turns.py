"""The endpointer, walked through chunk by chunk (32 ms of 8 kHz audio: 256 samples)."""

from hypothesis import given
from hypothesis import strategies as st

from media.turns import Endpointer, Endpointing, Turn

CHUNK = 256
RATE = 8000


def feed(endpointer: Endpointer, probabilities: list[float], start: int = 0) -> list[tuple[int, Turn]]:
    """Feeds chunks; gives (index of the chunk, what became known)."""
    found = []
    for index, probability in enumerate(probabilities, start):
        turn = endpointer.feed(probability, (index + 1) * CHUNK)
        if turn is not None:
            found.append((index, turn))
    return found


def endpointer(end_silence_s: float = 0.32, max_s: float = 10.0) -> Endpointer:
    return Endpointer(Endpointing(end_silence_s, max_s), RATE)


def test_speech_begins_with_the_second_sure_chunk_and_ends_after_the_silence() -> None:
    # 0.32 s of silence are 2,560 samples: ten chunks, counted from the first quiet one.
    turns = feed(endpointer(), [0.0, 0.9, 0.9, 0.9] + [0.1] * 12)
    assert turns == [(2, Turn.BEGAN), (13, Turn.ENDED)]


def test_a_click_is_not_speech() -> None:
    assert feed(endpointer(), [0.0, 0.9, 0.1, 0.9, 0.0]) == []


def test_a_soft_syllable_does_not_end_the_utterance() -> None:
    turns = feed(endpointer(), [0.9, 0.9] + [0.1] * 5 + [0.4] + [0.1] * 9)
    assert turns == [(1, Turn.BEGAN)]


def test_who_never_pauses_is_cut_at_the_greatest_length() -> None:
    turns = feed(endpointer(max_s=0.64), [0.9] * 30)
    assert turns[:2] == [(1, Turn.BEGAN), (19, Turn.ENDED)]  # 0.64 s: 20 chunks


def test_a_second_utterance_is_found_after_the_first() -> None:
    one = [0.9] * 4 + [0.0] * 12
    turns = [turn for _, turn in feed(endpointer(), one + one)]
    assert turns == [Turn.BEGAN, Turn.ENDED, Turn.BEGAN, Turn.ENDED]


@given(st.lists(st.floats(0, 1), max_size=300))
def test_begins_and_ends_alternate(probabilities: list[float]) -> None:
    turns = [turn for _, turn in feed(endpointer(), probabilities)]
    assert turns == [Turn.BEGAN if i % 2 == 0 else Turn.ENDED for i in range(len(turns))]
