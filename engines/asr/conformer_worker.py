"""AI4Bharat's IndicConformer inside its worker process: 22 Indian languages, in windows of 15 s.

The repository's own code is run (`trust_remote_code`): `model(wav, language, decoder)`, with `wav` a tensor
of one row at 16 kHz and `decoder` ctc or rnnt, gives the text. It takes one clip at a time and
tells no times.
"""

from __future__ import annotations

from typing import Any, Final

from engines.asr import exchange
from engines.asr.agreement import LocalAgreement
from engines.asr.exchange import Mode
from engines.asr.signal import BLOCK_S, Samples, Speech, Utterance
from engines.asr.windows import windows
from engines.contract import RecognitionRequest, Segment
from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want
from engines.worker.settings import settings

LONGEST: Final = int(15 / BLOCK_S)
"""What the model was trained on; longer audio loses words."""
_SEARCH: Final = int(5 / BLOCK_S)
_PAUSE_S: Final = 0.2
_PARTIAL_EVERY_S: Final = 1.0
_SAME_BLOCKS: Final = 4
_MOST_AUDIO_S: Final = 2 * 3600.0
_CONFIDENCE: Final = 0.7
"""The model tells none. Enough to be taken where a free answer is, too little to go unconfirmed."""


class ConformerEngine:
    """Settings: `model` (folder), `device` (auto, cpu, cuda), `decoder` (ctc: fast; rnnt: a little
    better)."""

    bounds = Bounds(jobs=256)

    def __init__(self) -> None:
        given = settings()
        if "model" not in given:
            raise ValueError("no model is set: `ivr engines install indic-conformer` fetches it")
        import torch
        from transformers import AutoModel

        self._torch: Any = torch
        self._decoder = str(given.get("decoder", "ctc"))
        device = str(given.get("device", "auto"))
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = device
        self._model: Any = AutoModel.from_pretrained(
            str(given["model"]), trust_remote_code=True, local_files_only=True
        ).to(device)
        self.decode(Utterance(16000).cut(0), "hi")

    def describe(self) -> Fields:
        return {"device": self._device}

    def open(self, request: Fields, reply: Reply) -> ConformerJob:
        asked, mode, partials = exchange.read_request(request)
        if mode is Mode.DETECT or not asked.language:
            raise JobError("indic-conformer does not find out the language: name it")
        if asked.rate < 8000:
            raise JobError(f"audio at {asked.rate} Hz cannot be recognised; 8000 is the least")
        return ConformerJob(self, asked, mode, partials, reply)

    def decode(self, samples: Samples, language: str) -> str:
        """What up to 15 s of audio at 16 kHz say."""
        if not len(samples):
            samples = Utterance(16000).cut(0)
        torch = self._torch
        with torch.inference_mode():
            wav = torch.from_numpy(samples.copy()).unsqueeze(0).to(self._device)
            if wav.shape[1] < _LEAST_SAMPLES:
                wav = torch.nn.functional.pad(wav, (0, _LEAST_SAMPLES - wav.shape[1]))
            return " ".join(str(self._model(wav, language, self._decoder)).split())


_LEAST_SAMPLES: Final = 4000
"""A quarter of a second: less gives the model no frame to work on."""


class ConformerJob:
    """A caller's turn or a recording: complete windows are decoded once, in order, the last one as it grows
    and at a pause. One step decodes one window, so that others have their turn."""

    def __init__(
        self,
        engine: ConformerEngine,
        request: RecognitionRequest,
        mode: Mode,
        partials: bool,
        reply: Reply,
    ) -> None:
        self._engine = engine
        self._language = request.language.partition("-")[0].lower()
        self._mode = mode
        self._partials = partials
        self._reply = reply
        self._utterance = Utterance(request.rate)
        self._agreement = LocalAgreement()
        self._complete: list[tuple[int, int, str]] = []
        self._last: tuple[Speech, str] | None = None
        self._shown_s = 0.0
        self._finished = False

    def feed(self, data: bytes) -> None:
        if self._utterance.seconds < _MOST_AUDIO_S:
            self._utterance.add(data)

    def finish(self) -> None:
        self._finished = True

    def want(self) -> Want | None:
        speech = self._utterance.speech()
        if not (self._finished or self._is_due(speech)):
            return None
        if self._mode is Mode.RECORDING:
            return Want(Priority.BULK)
        if self._finished:
            return Want(Priority.FINAL)
        if speech is not None and self._utterance.quiet_s(speech) >= _PAUSE_S:
            return Want(Priority.PAUSE)
        return Want(Priority.PARTIAL if self._shown_s else Priority.FIRST_PARTIAL)

    def step(self) -> Progress:
        speech = self._utterance.speech()
        if speech is None:
            return self._answer()
        cuts = windows(self._utterance.levels, LONGEST, _SEARCH)
        if len(self._complete) < len(cuts) - 1:
            first, end = cuts[len(self._complete)]
            self._complete.append((first, end, self._decode(first, end)))
            self._last = None
            return Progress.MORE
        if self._known(speech):
            return self._answer()
        first, _ = cuts[-1]
        self._last = (speech, self._decode(first, None))
        self._shown_s = self._utterance.seconds
        if self._finished:
            return self._answer()
        if self._partials:
            text, stable = self._agreement.add(self._text())
            if text:
                self._reply.send(b"", exchange.partial(text, stable, self._language))
        return Progress.MORE

    def close(self) -> None:
        pass

    def _is_due(self, speech: Speech | None) -> bool:
        """Whether there is something to decode while the utterance goes on: a window that is complete, or its
        end for a partial."""
        if speech is None:
            return False
        if len(self._complete) < len(windows(self._utterance.levels, LONGEST, _SEARCH)) - 1:
            return True
        return not self._known(speech) and self._is_time(speech)

    def _is_time(self, speech: Speech) -> bool:
        if self._mode is Mode.RECORDING:
            return False
        if self._utterance.quiet_s(speech) >= _PAUSE_S:
            return True
        return self._partials and self._utterance.seconds - self._shown_s >= _PARTIAL_EVERY_S

    def _known(self, speech: Speech) -> bool:
        if self._last is None:
            return False
        done = self._last[0]
        return abs(done.first - speech.first) <= _SAME_BLOCKS and abs(done.end - speech.end) <= _SAME_BLOCKS

    def _decode(self, first: int, end: int | None) -> str:
        return self._engine.decode(self._utterance.cut(first, end), self._language)

    def _found(self) -> list[tuple[int, int, str]]:
        last = []
        if self._last is not None:
            first = self._complete[-1][1] if self._complete else 0
            last = [(first, len(self._utterance.levels), self._last[1])]
        return [found for found in (*self._complete, *last) if found[2]]

    def _text(self) -> str:
        return " ".join(text for _, _, text in self._found())

    def _answer(self) -> Progress:
        found = self._found()
        for first, end, text in found:
            self._reply.send(b"", exchange.segment(Segment(text, first * BLOCK_S, end * BLOCK_S)))
        self._reply.send(b"", exchange.final(self._language, _CONFIDENCE if found else 0.0))
        return Progress.DONE
