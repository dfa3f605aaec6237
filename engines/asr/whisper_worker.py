"""Whisper inside its worker process: one queue for all callers, whose pieces are decoded together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from engines.asr import exchange
from engines.asr.agreement import LocalAgreement
from engines.asr.exchange import Mode
from engines.asr.guards import Guard, Verdict
from engines.asr.signal import Speech, Utterance
from engines.asr.whisper_model import Clip, Decoded, Recording, Whisper
from engines.asr.windows import windows
from engines.contract import RecognitionRequest, Segment
from engines.wire import Fields
from engines.worker.engine import Job, JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want
from engines.worker.settings import settings

_BLOCKS_PER_S: Final = 100
_LONGEST: Final = 28 * _BLOCKS_PER_S
"""Whisper's window is 30 s."""
_SEARCH: Final = 8 * _BLOCKS_PER_S
_PAUSE_S: Final = 0.2
_PARTIAL_EVERY_S: Final = 0.6
_SAME_BLOCKS: Final = 4
_LOOK_BLOCKS: Final = 4
_MOST_AUDIO_S: Final = 2 * 3600.0
_BATCH: Final = 16
_WINDOW_S: Final = 0.005
_MOST_JOBS: Final = 256


class WhisperEngine:
    """Settings: `model` (folder), `device` (auto, cpu, cuda), `compute_type`, `threads` (0: the library's
    choice), `beam`, `batch`, `queue` (how many jobs may be open), and the guard's `no_speech`, `log_prob`,
    `compression` (null switches one off).
    """

    def __init__(self) -> None:
        given = settings()
        if "model" not in given:
            raise ValueError("no model is set: `ivr engines install faster-whisper` fetches it")
        self.model = Whisper(
            str(given["model"]),
            device=str(given.get("device", "auto")),
            compute_type=str(given.get("compute_type", "int8")),
            threads=int(given.get("threads", 0)),
            beam=int(given.get("beam", 1)),
        )
        thresholds = {name: given[name] for name in ("no_speech", "log_prob", "compression") if name in given}
        self.guard = Guard(**thresholds)
        self.bounds = Bounds(
            jobs=int(given.get("queue", _MOST_JOBS)),
            batch=int(given.get("batch", _BATCH)),
            window_s=_WINDOW_S,
        )
        # The first pass allocates, and tells whether the weights fit.
        self.model.decode([Clip(Utterance(16000).cut(0), "en")])

    def describe(self) -> Fields:
        return {"device": self.model.device, "languages": self.model.languages}

    def open(self, request: Fields, reply: Reply) -> Job:
        asked, mode, partials = exchange.read_request(request)
        if asked.rate < 8000:
            raise JobError(f"audio at {asked.rate} Hz cannot be recognised; 8000 is the least")
        if mode is Mode.UTTERANCE:
            return UtteranceJob(self, asked, partials, reply)
        return RecordingJob(self, asked, mode, reply)

    def step_together(self, jobs: Sequence[UtteranceJob]) -> list[Progress]:
        """Decodes what they want, in one pass of the model."""
        found = self._guarded([job.clip() for job in jobs])
        return [job.take(decoded) for job, decoded in zip(jobs, found, strict=True)]

    def _guarded(self, clips: list[Clip]) -> list[Decoded]:
        found = self.model.decode(clips)
        verdicts = [self._verdict(clip, decoded) for clip, decoded in zip(clips, found, strict=True)]
        again = [index for index, verdict in enumerate(verdicts) if verdict is Verdict.RETRY]
        if again:
            for index, decoded in zip(
                again, self.model.decode([clips[index] for index in again], careful=True), strict=True
            ):
                found[index] = decoded
                verdicts[index] = self._verdict(clips[index], decoded)
        return [
            decoded if verdict is Verdict.KEEP else _nothing(decoded)
            for decoded, verdict in zip(found, verdicts, strict=True)
        ]

    def _verdict(self, clip: Clip, decoded: Decoded) -> Verdict:
        return self.guard.judge(
            decoded.text, no_speech=decoded.no_speech, log_prob=decoded.log_prob, expected=clip.phrases
        )


def _nothing(decoded: Decoded) -> Decoded:
    return Decoded("", decoded.language, decoded.log_prob, decoded.no_speech)


class UtteranceJob:
    """A caller's turn. What is longer than a window is cut where it is quiet; windows that are complete are
    decoded once, only the last one again and again.
    """

    def __init__(
        self, engine: WhisperEngine, request: RecognitionRequest, partials: bool, reply: Reply
    ) -> None:
        self._engine = engine
        self._request = request
        self._partials = partials
        self._reply = reply
        self._utterance = Utterance(request.rate)
        self._agreement = LocalAgreement()
        self._complete: list[tuple[int, int, Decoded]] = []
        self._last: tuple[int, Speech, Decoded] | None = None
        """From which block, of which speech, and what it was."""
        self._shown_at = 0.0
        self._shown = False
        self._finished = False
        self._answered = False
        self._asked: tuple[int, int | None, Speech] | None = None
        self._want: Want | None = None
        self._look_at = 0

    def feed(self, data: bytes) -> None:
        if self._utterance.seconds < _MOST_AUDIO_S:
            self._utterance.add(data)

    def finish(self) -> None:
        self._finished = True
        self._look_at = 0

    def step(self) -> Progress:
        return Progress.DONE if self._answer_if_known() else self._engine.step_together([self])[0]

    def close(self) -> None:
        pass

    def want(self) -> Want | None:
        """Asked for each packet and each batch, so it looks at the audio only when there is enough more of
        it."""
        blocks = len(self._utterance.levels)
        if blocks >= self._look_at:
            self._look_at = blocks + _LOOK_BLOCKS
            self._want = self._look()
        return self._want

    def _look(self) -> Want | None:
        speech = self._utterance.speech()
        priority = None if speech is None else self._priority(speech)
        if speech is None or priority is None:
            self._asked = None
            # What is known, or that nobody spoke, needs no decoding to be told.
            return Want(Priority.FINAL) if self._finished else None
        cuts = windows(self._utterance.levels, _LONGEST, _SEARCH)
        done = len(self._complete)
        whole = done < len(cuts) - 1
        self._asked = (cuts[done][0], cuts[done][1] if whole else None, speech)
        clip = Clip(_EMPTY, self._request.language, self._request.prompt, self._request.phrases, self._words)
        return Want(priority, self._engine.model.shape(clip))

    def clip(self) -> Clip:
        """The audio of what was wanted last."""
        assert self._asked is not None
        first, end, _ = self._asked
        samples = self._utterance.cut(first, end)
        request = self._request
        return Clip(samples, request.language, request.prompt, request.phrases, self._words)

    def take(self, decoded: Decoded) -> Progress:
        """What `clip` was found to say."""
        assert self._asked is not None
        first, end, speech = self._asked
        if end is not None:
            self._complete.append((first, end, decoded))
        else:
            self._last = (first, speech, decoded)
        self._shown_at = self._utterance.seconds
        self._look_at = 0
        if self._answer_if_known():
            return Progress.DONE
        if self._partials:
            text, stable = self._agreement.add(self._text())
            if text:
                self._shown = True
                self._reply.send(b"", exchange.partial(text, stable, decoded.language))
        return Progress.MORE

    @property
    def _words(self) -> bool:
        """Aligning costs a pass of its own: only the final needs it, and a language that is known."""
        return self._request.words and bool(self._request.language)

    def _priority(self, speech: Speech) -> Priority | None:
        if self._known(speech):
            return None
        if self._finished:
            return Priority.FINAL
        if self._utterance.quiet_s(speech) >= _PAUSE_S:
            return Priority.PAUSE
        if not self._partials or self._utterance.seconds - self._shown_at < _PARTIAL_EVERY_S:
            return None
        return Priority.PARTIAL if self._shown else Priority.FIRST_PARTIAL

    def _known(self, speech: Speech) -> bool:
        """Whether this speech was decoded to its end; its edges move a little with silence that is added."""
        if self._last is None or self._last[0] != (self._complete[-1][1] if self._complete else 0):
            return False
        done = self._last[1]
        return abs(done.first - speech.first) <= _SAME_BLOCKS and abs(done.end - speech.end) <= _SAME_BLOCKS

    def _answer_if_known(self) -> bool:
        """Sends the final once it is known."""
        if self._answered or not self._finished:
            return self._answered
        speech = self._utterance.speech()
        if speech is not None and not self._known(speech):
            return False
        self._answered = True
        if not self._reply.cancelled:
            self._send_final()
        return True

    def _send_final(self) -> None:
        found = self._found()
        for first, end, decoded in found:
            if decoded.text:
                self._reply.send(b"", exchange.segment(_placed(decoded, first, end)))
        language = found[-1][2].language if found else self._request.language
        confidence = min((d.confidence for _, _, d in found if d.text), default=0.0)
        self._reply.send(b"", exchange.final(language, confidence))

    def _found(self) -> list[tuple[int, int, Decoded]]:
        last = [(self._last[0], self._last[1].end, self._last[2])] if self._last else []
        return [*self._complete, *last]

    def _text(self) -> str:
        return " ".join(decoded.text for _, _, decoded in self._found() if decoded.text)


_EMPTY: Final = Utterance(16000).cut(0)


def _placed(decoded: Decoded, first: int, end: int) -> Segment:
    start_s = first / _BLOCKS_PER_S
    words = tuple(
        type(word)(
            word.text, round(word.start_s + start_s, 2), round(word.end_s + start_s, 2), word.confidence
        )
        for word in decoded.words
    )
    if words:
        return Segment(decoded.text, words[0].start_s, words[-1].end_s, words)
    return Segment(decoded.text, start_s, end / _BLOCKS_PER_S)


class RecordingJob:
    """Audio that is all there: each step is a window of it, which callers' turns go before."""

    def __init__(self, engine: WhisperEngine, request: RecognitionRequest, mode: Mode, reply: Reply) -> None:
        self._engine = engine
        self._request = request
        self._mode = mode
        self._reply = reply
        self._utterance = Utterance(request.rate)
        self._finished = False
        self._recording: Recording | None = None
        self._segments: Iterator[tuple[Segment, float]] = iter(())
        self._seconds = 0.0
        self._log_prob = 0.0

    def feed(self, data: bytes) -> None:
        if self._utterance.seconds >= _MOST_AUDIO_S:
            raise JobError(f"the recording is longer than {_MOST_AUDIO_S:g} s")
        self._utterance.add(data)

    def finish(self) -> None:
        self._finished = True

    def want(self) -> Want | None:
        return Want(Priority.BULK) if self._finished else None

    def step(self) -> Progress:
        request = self._request
        if self._mode is Mode.DETECT:
            self._reply.send(b"", exchange.detected(self._engine.model.detect(self._utterance.cut(0))))
            return Progress.DONE
        if self._recording is None:
            clip = Clip(
                self._utterance.cut(0), request.language, request.prompt, request.phrases, request.words
            )
            self._recording = self._engine.model.transcribe(clip, self._engine.guard)
            self._segments = self._recording.segments
            return Progress.MORE
        found = next(self._segments, None)
        if found is not None:
            self._add(*found)
            return Progress.MORE
        confidence = math.exp(min(0.0, self._log_prob / self._seconds)) if self._seconds else 0.0
        self._reply.send(b"", exchange.final(self._recording.language, round(confidence, 3)))
        return Progress.DONE

    def close(self) -> None:
        pass

    def _add(self, segment: Segment, log_prob: float) -> None:
        # The thresholds were applied window by window; what is left are the phrases that nobody said.
        guard = Guard(None, None, None)
        verdict = guard.judge(segment.text, no_speech=0.0, log_prob=log_prob, expected=self._request.phrases)
        if not segment.text or verdict is not Verdict.KEEP:
            return
        seconds = max(segment.end_s - segment.start_s, 0.01)
        self._seconds += seconds
        self._log_prob += log_prob * seconds
        self._reply.send(b"", exchange.segment(segment))
