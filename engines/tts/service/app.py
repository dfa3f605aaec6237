"""The application: speech, voices, models."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response

from engines.service.app import new_app
from engines.service.encoding import MEDIA_TYPES, new_encoder
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from engines.tts.profiles import VoiceProfiles
from engines.tts.service.desk import Desk
from engines.tts.service.documented import ERRORS, REFUSED, SOUND
from engines.tts.service.models import EmotionBody, ModelInfo, ModelList, SpeechBody
from engines.tts.service.speaking import Order, Speaker
from engines.tts.service.streaming import SoundStream, unless_gone
from engines.tts.service.voices import answered, voice_routes

_DESCRIPTION: Final = """
Text to speech in the shape of OpenAI's API, by the engines that this service is set up with.

A text is cut into sentences; figures, money and dates are said in words; every voice is levelled to one
loudness. Where a service has keys, every request needs one: `Authorization: Bearer KEY`. The answer's headers
say which engine spoke (`X-Engine`), how soon (`X-First-Audio-Ms`), whether the sound is watermarked
(`X-Watermark`), and what the engine lacks and left out (`X-Dropped-Tags`, `X-Dropped-Emotion`).
"""


def create_app(
    desk: Desk, speaker: Speaker, profiles: VoiceProfiles, keys: Keys, metrics: ServiceMetrics
) -> FastAPI:
    """The application over engines that run."""
    app = new_app("IVR speech", _DESCRIPTION, keys, metrics, desk.reasons)
    metrics.watch_workers(desk.names, desk.health)
    app.include_router(_speech(desk, speaker, keys))
    app.include_router(voice_routes(desk, speaker, profiles, keys))
    app.include_router(_models(desk, keys))
    return app


def _speech(desk: Desk, speaker: Speaker, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/v1/audio", tags=["speech"])
    asking = Depends(keys.client)

    @router.post("/speech", response_class=Response, responses=SOUND, summary="Speak a text, whole")
    async def speech(body: SpeechBody, request: Request, client: str = asking) -> Response:
        """OpenAI's own call: its clients work with this service's address."""
        return await unless_gone(request, answered(desk, speaker, body, desk.order(body, client)))

    @router.post(
        "/speech/with-emotion",
        response_class=Response,
        responses=SOUND,
        summary="Speak a text in an emotion",
    )
    async def with_emotion(body: EmotionBody, request: Request, client: str = asking) -> Response:
        """The same with `emotion` and `intensity`; an engine without it speaks plainly, and says so in
        `X-Dropped-Emotion`."""
        return await unless_gone(request, answered(desk, speaker, body, desk.order(body, client)))

    @router.post(
        "/speech/stream",
        response_class=Response,
        responses=SOUND,
        summary="Speak a text, sound as it is made",
    )
    async def stream(body: SpeechBody, request: Request, client: str = asking) -> Response:
        """Chunked: the first chunk goes out with the first sound. Closing the connection ends the speech."""
        return await unless_gone(request, _begun(desk, speaker, body, desk.order(body, client)))

    return router


async def _begun(desk: Desk, speaker: Speaker, body: SpeechBody, order: Order) -> Response:
    spoken = await speaker.begin(order)
    form = body.response_format.audio
    encoder = new_encoder(form, spoken.rate, body.rate_out)
    return SoundStream(spoken, encoder, MEDIA_TYPES[form], desk.headers(body, spoken))


def _models(desk: Desk, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/v1/models", tags=["models"], dependencies=[Depends(keys.client)])

    @router.get("", responses=REFUSED, summary="The engines of this service")
    async def models() -> ModelList:
        return ModelList(data=desk.models())

    @router.get("/{model}", responses=ERRORS, summary="One engine")
    async def model(model: Annotated[str, Path(max_length=100)]) -> ModelInfo:
        return desk.model(model)

    return router
