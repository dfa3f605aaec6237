"""How long a call in a flow can take: what is spoken by its length, the rest by the bounds of its steps."""

from __future__ import annotations

from ivr.flow.graph import Edges, Stretch, edges_of, longest_way
from ivr.flow.model import Flow, Prompt, Wording

SPEAKING_RATE = 13.0
"""Characters that a voice speaks in a second, on the slow side."""

VALUE_CHARACTERS = 24
"""Characters a value is taken to have when it is spoken."""

AUDIO_S = 10.0
"""What an audio file is taken to last that cannot be read."""


def seconds_of(flow: Flow) -> dict[str, float]:
    """The longest time in each step."""
    speaking = {prompt.name: speaking_seconds(prompt) for prompt in flow.prompts.values()}
    return {name: step.seconds(speaking) for name, step in flow.steps.items()}


def longest_stretches(flow: Flow, edges: Edges, seconds: dict[str, float]) -> list[Stretch]:
    """The longest way through a flow from its start, in its parts."""
    return longest_way(edges, seconds, flow.limits.visits, flow.start.step)


def longest_seconds(flow: Flow) -> float:
    """The longest time that a flow can take; its own limit bounds it."""
    way = longest_stretches(flow, edges_of(flow), seconds_of(flow))
    return min(sum(part.seconds for part in way), flow.limits.call_s)


def speaking_seconds(prompt: Prompt) -> float:
    """About how long a prompt takes, in its longest language."""
    return max((_wording_seconds(wording) for wording in prompt.wordings.values()), default=0.0)


def _wording_seconds(wording: Wording) -> float:
    if wording.recording.seconds:
        return wording.recording.seconds
    if wording.text is None:
        return AUDIO_S
    characters = sum(
        len(piece) if isinstance(piece, str) else VALUE_CHARACTERS for piece in wording.text.pieces
    )
    return characters / SPEAKING_RATE
