"""A prompt and a caller over it, in virtual time: our own media at both ends of a made line, the real
detector, and a recogniser that hears what was said after a set time. The same each time, and faster
than life.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import numpy as np

from engines.contract import EngineUnavailable, OnPartial, RecognitionRequest, Transcript
from ivr.bench.callers import RATE, Sound, Speakerphone, Wave, to_pcm, to_wave
from ivr.flow.protocol import BargeIn, SpeechBegan, SpeechSpec
from ivr.hearing import Ear, Told, Utterance
from ivr.turns.words_out import words_out
from media.agreement import Agreement
from media.clip import Clip, ClipWriter
from media.codecs import FRAME_MS, PCMA, Codec
from media.leg import FrameSink, Position, Quality
from media.link import Link
from media.ports import PortPair
from media.rtp import HEADER_BYTES
from media.silero import CHUNK_SAMPLES, SileroModel, model_path

_SLOT_S: Final = 0.005
_TICK: Final = 4
_LINE_S: Final = 0.02
"""One way."""
_DETECTOR_S: Final = 0.012
"""From a chunk that is whole to its probability: gathered with others' for 10 ms."""

BEFORE_S: Final = 1.2
"""So long the prompt plays before the caller is heard."""
AFTER_S: Final = 2.5
"""So long it is waited what becomes of it."""

_SERVER, _PHONE = ("192.0.2.1", 4000), ("192.0.2.2", 5000)


@dataclass(slots=True)
class Rehearsed:
    """What became of it; times in seconds from when the first packet of the caller's sound came to the
    server's socket to the first of ours that was so. None: never."""

    cut: bool = False
    """The flow was told of a turn while the prompt was played."""
    ducked_s: float | None = None
    silent_s: float | None = None
    resumed: bool = False
    told: list[Told] = field(default_factory=list)

    @property
    def heard(self) -> list[str]:
        """The words that the flow was told of."""
        finals = [told.transcript for told in self.told if isinstance(told, Utterance)]
        return [final.text for final in finals if final is not None]


@dataclass(frozen=True, slots=True)
class Hearing:
    """The recogniser: how long its words take, and whether it tells what it has heard so far."""

    final_s: float = 0.15
    partials: bool = True


class _Wire:
    """One direction of the line."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, bytes]] = []
        self._order = count()
        self._flying: list[tuple[float, int, bytes]] = []

    def sendto(self, data: bytes | bytearray, address: tuple[str, int]) -> int:
        self.sent.append((self.now, bytes(data)))
        heapq.heappush(self._flying, (self.now + _LINE_S, next(self._order), bytes(data)))
        return len(data)

    def arrived(self, now: float) -> list[bytes]:
        self.now = now
        packets = []
        while self._flying and self._flying[0][0] <= now:
            packets.append(heapq.heappop(self._flying)[2])
        return packets


class _Unheard:
    """Who owns a link, and wants to know nothing of it."""

    def digit(self, key: str, at: float) -> None: ...

    def began(self, mark: str, at: float) -> None: ...

    def played(self, mark: str, at: float) -> None: ...

    def stopped(self, mark: str, sample: int, at: float) -> None: ...

    def timed_out(self, at: float) -> None: ...


class _Leg:
    """As much of a leg as an ear needs, over a link."""

    codec: Codec = PCMA
    sample_rate = RATE

    def __init__(self, link: Link) -> None:
        self._link = link
        self.duck, self.pause, self.resume = link.duck, link.pause, link.resume
        self.just_sent = link.just_sent

    def listen(self, sink: FrameSink | None) -> None:
        self._link.listen(sink)

    def position(self) -> Position | None:
        return self._link.position

    def quality(self) -> Quality:
        return self._link.quality()


class _Detector:
    """The real model, whose probabilities come as late as in a server."""

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage
        self._model = SileroModel(model_path())
        self._pending = bytearray()
        self._sample = 0

    def open(self, on_probability: Callable[[float, int], None]) -> _Detector:
        self._model.reset(0)
        self._tell = on_probability
        return self

    def write(self, frame: bytes) -> None:
        self._pending += frame
        while len(self._pending) >= 2 * CHUNK_SAMPLES:
            chunk = bytes(self._pending[: 2 * CHUNK_SAMPLES])
            del self._pending[: 2 * CHUNK_SAMPLES]
            self._sample += CHUNK_SAMPLES
            (probability,) = self._model.probabilities([0], chunk)
            self._stage.later(_DETECTOR_S, self._tell, probability, self._sample)

    def close(self) -> None: ...


class _Recogniser:
    """Hears the words of the sound, as far as it has come."""

    name = "rehearsal"
    version = "1"

    def __init__(self, stage: _Stage, hearing: Hearing) -> None:
        self.stage = stage
        self.hearing = hearing

    def supports(self, request: RecognitionRequest) -> bool:
        return True

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> _Stream:
        return _Stream(self, request, on_partial)


_PARTIAL_EVERY_S: Final = 0.6


class _Stream:
    def __init__(
        self, engine: _Recogniser, request: RecognitionRequest, on_partial: OnPartial | None
    ) -> None:
        self._engine = engine
        self._request = request
        self._on_partial = on_partial
        self._shown_at = engine.stage.now
        self._shown = ""
        self._cancelled = False
        self._waiting: asyncio.Future[None] | None = None

    def write(self, pcm: bytes) -> None:
        """At a pause, and now and then, it tells what it has heard so far."""
        stage, hearing = self._engine.stage, self._engine.hearing
        text = stage.words()
        due = stage.now - self._shown_at >= _PARTIAL_EVERY_S
        if hearing.partials and text != self._shown and (due or stage.over):
            self._shown, self._shown_at = text, stage.now
            stage.later(0.2 * stage.over + hearing.final_s, self._tell, text)

    async def finish(self, *, deadline_s: float) -> Transcript:
        text = self._engine.stage.words()
        self._waiting = asyncio.get_running_loop().create_future()
        self._engine.stage.later(self._engine.hearing.final_s, self._ready)
        await self._waiting
        if self._cancelled:
            raise EngineUnavailable("the utterance was cancelled")
        return Transcript(text, self._request.language, 0.9 if text else 0.0)

    def cancel(self) -> None:
        self._cancelled = True

    def _ready(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _tell(self, text: str) -> None:
        if self._on_partial is not None and not self._cancelled:
            self._on_partial(Transcript(text, self._request.language, 0.0, final=False))


class _Stage:
    """The clock, and what is due by it."""

    def __init__(self, sound: Sound) -> None:
        self.now = 0.0
        self._order = count()
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        wave = np.abs(to_wave(sound.pcm))
        loud = np.flatnonzero(wave > 0.02 * wave.max())
        self._words = sound.words
        self._first_s = float(loud[0]) / RATE if len(loud) else 0.0
        self._last_s = float(loud[-1] + 1) / RATE if len(loud) else 0.0

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._order), call, args))

    def run_due(self) -> None:
        while self._due and self._due[0][0] <= self.now + 1e-9:
            _, _, call, args = heapq.heappop(self._due)
            call(*args)

    @property
    def _since_s(self) -> float:
        """Of the caller's sound, how much has come by now."""
        return self.now - BEFORE_S - _LINE_S

    @property
    def over(self) -> bool:
        return bool(self._since_s >= self._last_s)

    def words(self) -> str:
        """Those that are out by now."""
        share = (self._since_s - self._first_s) / max(self._last_s - self._first_s, 0.01)
        return words_out(self._words, min(max(share, 0.0), 1.0))


async def rehearse(
    prompt: Clip,
    sound: Sound,
    spec: SpeechSpec,
    hearing: Hearing = Hearing(),
    speakerphone: Speakerphone | None = None,
    mode: BargeIn = BargeIn.ANY,
) -> Rehearsed:
    """Plays the prompt, a clip of PCMA longer than the sound and all waits, and lets the caller be heard over
    it; with `BargeIn.NONE` nothing is played. The flow stops its prompt when it is told of a turn, as any
    does."""
    found = Rehearsed()
    stage = _Stage(sound)
    there, back = _Wire(), _Wire()
    server, phone = _link(there, _PHONE), _link(back, _SERVER)
    leg = _Leg(server)
    tasks: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def told(news: Told) -> None:
        found.told.append(news)
        if isinstance(news, SpeechBegan) and server.position is not None:
            found.cut = True
            server.stop(stage.now)
            ear.playing(None)

    ear = Ear(
        leg,  # type: ignore[arg-type]  # as much of it as an ear needs
        _Detector(stage),
        _Recogniser(stage, hearing),
        5.0,
        spawn,
        told,
        note=lambda kind: setattr(found, "resumed", True),
    )
    ear.listen(spec)
    if mode is not BargeIn.NONE:
        server.play(prompt, "prompt")
        ear.playing(mode)
    caller = _Caller(phone, sound, speakerphone)
    slots = round((BEFORE_S + len(sound.pcm) / 2 / RATE + AFTER_S) / _SLOT_S)
    for slot in range(slots):
        stage.now = slot * _SLOT_S
        for wire, target, source in ((there, phone, _SERVER), (back, server, _PHONE)):
            for data in wire.arrived(stage.now):
                target.receive(bytearray(data), len(data), source, stage.now)
        stage.run_due()
        if slot % _TICK == 0:
            server.tick(stage.now)
        if slot % _TICK == 2:
            caller.speak()
            phone.tick(stage.now)
        for _ in range(3):
            await asyncio.sleep(0)
    ear.stop()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    _measure(found, there.sent, prompt, caller.onset_s + _LINE_S)
    return found


class _Caller:
    """The phone: what it sends is what the caller says, and what its microphone hears of its loudspeaker."""

    def __init__(self, phone: Link, sound: Sound, speakerphone: Speakerphone | None) -> None:
        self._phone = phone
        self._said = to_wave(bytes(2 * int(BEFORE_S * RATE)) + sound.pcm)
        self._loudspeaker: list[Wave] = [np.zeros(0)]
        self._way = None if speakerphone is None else speakerphone.filter(len(sound.pcm))
        self._chance = np.random.default_rng(len(sound.pcm))
        self._writer = ClipWriter(Clip(PCMA), RATE)
        self._at = 0
        loud = np.flatnonzero(np.abs(self._said) > 0.05 * np.abs(self._said).max())
        self.onset_s = int(loud[0]) // 160 * FRAME_MS / 1000 if len(loud) else BEFORE_S
        """When the packet was sent that the sound begins in."""
        phone.listen(lambda frame: self._loudspeaker.append(to_wave(frame)))
        phone.play(self._writer.clip, "caller")

    def speak(self) -> None:
        """The frame of this tick."""
        frame = self._said[self._at : self._at + 160]
        frame = np.concatenate((frame, np.zeros(160 - len(frame))))
        if self._way is not None:
            frame = frame + self._echo()
        self._at += 160
        self._writer.write(to_pcm(frame + self._chance.normal(0.0, 12.0, 160)))

    def _echo(self) -> Wave:
        assert self._way is not None
        played = np.concatenate(self._loudspeaker[-40:])
        needed = len(self._way) + 159
        played = np.concatenate((np.zeros(max(0, needed - len(played))), played))[-needed:]
        echo: Wave = np.convolve(played, self._way, "valid")[-160:]
        return echo


def _link(wire: _Wire, remote: tuple[str, int]) -> Link:
    pair = PortPair(4000, wire, _Wire())  # type: ignore[arg-type]
    return Link(pair, _Unheard(), Agreement(remote, PCMA, 8, 101), "rehearsal", 1e9, 0.0)


def _measure(found: Rehearsed, sent: Sequence[tuple[float, bytes]], prompt: Clip, since: float) -> None:
    """When our packets were softer, and silent, for the first time after the caller's sound came."""
    loud = set(prompt.frames)
    for at, packet in sent:
        payload = packet[HEADER_BYTES:]
        if at < since or payload in loud:
            continue
        if payload == PCMA.silence:
            found.silent_s = at - since if found.silent_s is None else found.silent_s
        elif found.ducked_s is None:
            found.ducked_s = at - since
