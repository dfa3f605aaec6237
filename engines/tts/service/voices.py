"""The routes about voices: those of the engines, profiles of people, and a voice cloned for one text."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath
from typing import Annotated, Final

from fastapi import APIRouter, Depends, File, Form, Path, Request, Response, UploadFile

from engines.contract import VoiceReference
from engines.service.audio import decode
from engines.service.encoding import MEDIA_TYPES, encode
from engines.service.errors import ServiceError, bad_request
from engines.service.keys import Keys
from engines.tts.loudness import LoudnessMeter
from engines.tts.profiles import Consent, ProfileError, VoiceProfiles, new_id, write_reference
from engines.tts.service.desk import Desk
from engines.tts.service.documented import ERRORS, REFUSED, SOUND
from engines.tts.service.models import (
    MOST_CHARACTERS,
    Language,
    ProfileInfo,
    ResponseFormat,
    SpeechBody,
    VoiceList,
)
from engines.tts.service.speaking import Order, Speaker
from engines.tts.service.streaming import unless_gone, whole

REFERENCE_RATE: Final = 24_000
SHORTEST_S: Final = 8.0
LONGEST_S: Final = 60.0
_QUIETEST_LUFS: Final = -50.0


_Text = Annotated[str, Form(min_length=1, max_length=200)]
_Wording = Annotated[
    str,
    Form(min_length=10, max_length=4000, description="The words with which the person allowed the use"),
]
_GivenBy = Annotated[str, Form(min_length=1, max_length=200, description="Whose voice it is")]
_GivenAt = Annotated[str, Form(max_length=40, description="When, ISO 8601 with a time zone")]
_Transcript = Annotated[
    str, Form(max_length=2000, description="The words of the reference audio; some engines need them")
]
_Reference = Annotated[
    UploadFile,
    File(description=f"{SHORTEST_S:g} to {LONGEST_S:g} s of clear speech; ten are enough"),
]


def voice_routes(desk: Desk, speaker: Speaker, profiles: VoiceProfiles, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["voices"])
    asking = Depends(keys.client)

    @router.get("/voices", responses=REFUSED, summary="The voices there are")
    async def voices(client: str = asking) -> VoiceList:
        """Voice profiles of the key that asks, and the engines' own voices."""
        own = [ProfileInfo.of(profile) for profile in profiles.of(client)]
        return VoiceList(voices=[*own, *desk.voices()])

    @router.post("/voices", status_code=201, responses=ERRORS, summary="Keep a voice profile")
    async def make(
        file: _Reference,
        name: _Text,
        consent_given_by: _GivenBy,
        consent_given_at: _GivenAt,
        consent_wording: _Wording,
        language: Annotated[Language, Form()],
        client: str = asking,
        model: Annotated[str, Form(max_length=100)] = "auto",
        transcript: _Transcript = "",
    ) -> ProfileInfo:
        """Speak with its `id` as the `voice`. Deleting it deletes the audio and all that was derived from
        it."""
        consent = _consent(consent_given_by, consent_given_at, consent_wording)
        engine = desk.cloning(model, language)
        pcm = await _reference(file)
        try:
            profile = await asyncio.to_thread(
                profiles.make,
                name=name,
                owner=client,
                language=language,
                engine=engine,
                transcript=transcript,
                consent=consent,
                pcm=pcm,
                rate=REFERENCE_RATE,
            )
        except ProfileError as error:
            raise ServiceError(503, str(error), code="too_many_voices") from error
        return ProfileInfo.of(profile)

    @router.get("/voices/{voice}", responses=ERRORS, summary="A voice profile")
    async def one(voice: Annotated[str, Path(max_length=100)], client: str = asking) -> ProfileInfo:
        return ProfileInfo.of(desk.profile(voice, client))

    @router.delete("/voices/{voice}", status_code=204, responses=ERRORS, summary="Delete a voice profile")
    async def delete(voice: Annotated[str, Path(max_length=100)], client: str = asking) -> Response:
        """Its audio, its consent record, and what the engines derived from it are gone when this answers."""
        await asyncio.to_thread(profiles.delete, desk.profile(voice, client))
        await desk.forget(voice)
        return Response(status_code=204)

    @router.post(
        "/audio/clone",
        response_class=Response,
        responses=SOUND,
        summary="Speak one text in a voice that is not kept",
    )
    async def clone(
        request: Request,
        file: _Reference,
        input: Annotated[str, Form(min_length=1, max_length=MOST_CHARACTERS)],
        consent_given_by: _GivenBy,
        consent_given_at: _GivenAt,
        consent_wording: _Wording,
        client: str = asking,
        language: Annotated[Language | None, Form()] = None,
        model: Annotated[str, Form(max_length=100)] = "auto",
        transcript: _Transcript = "",
        response_format: Annotated[ResponseFormat, Form()] = ResponseFormat.MP3,
        speed: Annotated[float, Form(ge=0.25, le=4.0)] = 1.0,
    ) -> Response:
        """The reference audio is gone when this answers. `X-Watermark` tells whether the engine marks what it
        makes."""
        _consent(consent_given_by, consent_given_at, consent_wording)
        body = _body(input, language, response_format, speed)
        order = desk.order(body, client)
        engine = desk.cloning(model, order.language)
        pcm = await _reference(file)
        return await unless_gone(request, _cloned(desk, speaker, body, order, engine, transcript, pcm))

    return router


async def answered(desk: Desk, speaker: Speaker, body: SpeechBody, order: Order) -> Response:
    """The whole sound of an order as an answer."""
    spoken = await speaker.begin(order)
    pcm = await whole(spoken)
    form = body.response_format.audio
    sound = await asyncio.to_thread(encode, pcm, spoken.rate, form, body.rate_out)
    return Response(sound, media_type=MEDIA_TYPES[form], headers=desk.headers(body, spoken))


async def _cloned(
    desk: Desk, speaker: Speaker, body: SpeechBody, order: Order, engine: str, transcript: str, pcm: bytes
) -> Response:
    key = new_id()
    with tempfile.TemporaryDirectory(prefix="ivr-clone-") as folder:
        path = FilePath(folder) / "reference.wav"
        await asyncio.to_thread(write_reference, path, pcm, REFERENCE_RATE)
        try:
            reference = VoiceReference(key, str(path), transcript)
            return await answered(desk, speaker, body, desk.with_reference(order, engine, reference))
        finally:
            await asyncio.shield(desk.forget(key))


def _body(text: str, language: str | None, form: ResponseFormat, speed: float) -> SpeechBody:
    if not text.strip():
        raise bad_request("there is nothing to say: the text is empty", code="nothing_to_say", param="input")
    return SpeechBody.model_validate(
        {"input": text, "language": language, "response_format": form, "speed": speed}
    )


def _consent(given_by: str, given_at: str, wording: str) -> Consent:
    """Without a record of the consent no voice is cloned."""
    try:
        at = datetime.fromisoformat(given_at)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise bad_request(
            "consent_given_at: write it as 2026-01-31T10:30:00+05:30",
            code="invalid_consent",
            param="consent_given_at",
        )
    if at > datetime.now(UTC) + timedelta(minutes=5):
        raise bad_request(
            "consent_given_at: is in the future", code="invalid_consent", param="consent_given_at"
        )
    if not given_by.strip() or not wording.strip():
        raise bad_request(
            "the consent must say who gave it and in what words",
            code="invalid_consent",
            param="consent_given_by" if not given_by.strip() else "consent_wording",
        )
    return Consent(given_by, given_at, wording)


async def _reference(file: UploadFile) -> bytes:
    """The reference audio as PCM at `REFERENCE_RATE`; raises `ServiceError` for what no voice can be learnt
    from.
    """
    audio = await asyncio.to_thread(decode, file.file, rate=REFERENCE_RATE, most_s=LONGEST_S)
    if audio.seconds < SHORTEST_S:
        raise bad_request(
            f"the reference audio is {audio.seconds:.1f} s long: {SHORTEST_S:g} s are needed, ten are better",
            code="reference_too_short",
            param="file",
        )
    lufs = await asyncio.to_thread(_loudness, audio.pcm)
    if lufs is None or lufs < _QUIETEST_LUFS:
        raise bad_request("the reference audio is silent", code="reference_silent", param="file")
    return audio.pcm


def _loudness(pcm: bytes) -> float | None:
    import numpy as np

    meter = LoudnessMeter(REFERENCE_RATE)
    meter.hear(np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768))
    return meter.lufs
