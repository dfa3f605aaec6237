"""The page to try speech: a text from every voice side by side, and the microphone to every recogniser."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Final

from nicegui import events, ui
from nicegui.element import Element

from ivr.admin.pages import Page
from ivr.admin.roles import Role
from ivr.admin.trying import Failed, Recording, Trier, recording_fault, text_fault
from ivr.admin.visit import Visit
from ivr.admin.widgets import Words, empty, panel
from ivr.api.trials import (
    MOST_BYTES,
    RecogniserEngine,
    RecogniserEngines,
    RecogniserTried,
    VoiceEngine,
    VoiceEngines,
    VoiceTried,
    VoiceTry,
)

LONGEST_S: Final = 15
"""Of a recording with the microphone."""

_SAMPLES: Final = {
    "hi": "नमस्ते! आपका ऑर्डर 48213 बीस मिनट में तैयार हो जाएगा। कुल ₹1,250.50।",
    "mr": "नमस्कार! तुमची ऑर्डर 48213 वीस मिनिटांत तयार होईल. एकूण ₹1,250.50.",
    "en": "Hello! Your order 48213 will be ready in 20 minutes. The total is ₹1,250.50.",
}
_PHRASES: Final = {"hi": "हाँ\nनहीं", "mr": "हो\nनाही", "en": "yes\nno"}
_LANGUAGES: Final = {"hi": "हिन्दी", "mr": "मराठी", "en": "English"}


async def build(visit: Visit) -> None:
    ui.add_head_html('<script defer src="/static/trying.js"></script>')
    voices = await visit.gateway.get(VoiceEngines, "/api/voice/voices")
    recognisers = await visit.gateway.get(RecogniserEngines, "/api/voice/recognisers")
    _Speaking(visit, voices).build()
    _Hearing(visit, recognisers.recognisers).build()


# --- a text to every voice


class _Speaking:
    def __init__(self, visit: Visit, voices: VoiceEngines) -> None:
        self._visit = visit
        self._voices = voices
        self._trier = Trier(visit.gateway, visit.user.name)
        self._cards: dict[str, _VoiceCard] = {}

    def build(self) -> None:
        guard = self._visit.needs(Role.OPERATOR, "voices.try")
        first = self._visit.user.language
        with panel(
            "A text, spoken by every voice", hint="As calls would hear it; live calls are served first."
        ):
            self._text = ui.textarea("Text", value=_SAMPLES[first], validation=text_fault)
            self._text.props("outlined dense autogrow counter").classes("wide")
            with ui.element("div").classes("row-start choices"):
                self._language = ui.select(_LANGUAGES, value=first, label="Language")
                self._emotion = ui.select(self._voices.emotions, value="neutral", label="Emotion")
                self._speed = ui.select(
                    {0.8: "slower", 1.0: "as it is", 1.2: "faster"}, value=1.0, label="Speed"
                )
                for each in (self._language, self._emotion, self._speed):
                    each.props("dense outlined options-dense").classes("choice")
                self._language.on_value_change(self._language_changed)
                self._all = ui.button("Speak with all", icon="play_arrow", on_click=guard(self._speak_all))
            self._grid = ui.element("div").classes("trials")
        self._show_cards()

    def _language_changed(self, event: events.ValueChangeEventArguments[str]) -> None:
        if self._text.value in _SAMPLES.values():
            self._text.set_value(_SAMPLES[event.value])
        self._show_cards()

    def _show_cards(self) -> None:
        language = self._language.value
        self._grid.clear()
        self._cards = {}
        with self._grid:
            for engine in self._voices.voices:
                if language in engine.voices:
                    self._cards[engine.engine] = _VoiceCard(engine, language, self._speak_one, self._visit)
            if not self._cards:
                empty("No voice speaks this language.")

    async def _speak_all(self) -> None:
        await self._speak(list(self._cards), play=False)

    async def _speak_one(self, engine: str) -> None:
        await self._speak([engine], play=True)

    async def _speak(self, engines: list[str], *, play: bool) -> None:
        if not self._text.validate():
            return
        bodies = []
        for name in engines:
            self._cards[name].wait()
            bodies.append(
                VoiceTry(
                    engine=name,
                    text=self._text.value,
                    language=self._language.value,
                    voice=self._cards[name].voice,
                    emotion=self._emotion.value,
                    speed=self._speed.value,
                )
            )

        def told(tried: VoiceTried | Failed) -> None:
            if (card := self._cards.get(tried.engine)) is not None:
                card.show(tried, play=play)

        await self._trier.speak(bodies, told)


class _VoiceCard:
    """One voice engine, and how it spoke last."""

    def __init__(self, engine: VoiceEngine, language: str, speak: object, visit: Visit) -> None:
        guard = visit.needs(Role.OPERATOR, "voices.try")
        with ui.element("div").classes("trial"):
            with ui.element("div").classes("row-between"):
                Words("h3", engine.engine, "part-title")
                button = ui.button("Speak", icon="play_arrow", on_click=guard(lambda: speak(engine.engine)))  # type: ignore[operator]
                button.props(f'flat dense aria-label="Speak with {engine.engine}"')
            choices = {"": "its own choice", **{voice: voice for voice in engine.voices[language]}}
            self._voice = ui.select(choices, value="", label="Voice").props("dense outlined options-dense")
            self._voice.classes("wide")
            self._told = ui.element("div").props("role=status")
            self._player = ui.element("audio").props("controls hidden").classes("wide")
            self._player.props(f'aria-label="What {engine.engine} said"')

    @property
    def voice(self) -> str:
        return str(self._voice.value)

    def wait(self) -> None:
        self._told.clear()
        with self._told:
            Words("p", "Speaking …", "soft small")

    def show(self, tried: VoiceTried | Failed, *, play: bool) -> None:
        if self._told.is_deleted:
            return  # another language was chosen meanwhile
        self._told.clear()
        with self._told:
            if isinstance(tried, Failed):
                Words("p", tried.reason, "small tone-bad")
                return
            with ui.element("dl").classes("standing-facts small"):
                for name, value in (
                    ("First audio", f"{tried.first_audio_ms:.0f} ms"),
                    ("Real-time factor", f"{tried.rtf:.3f}"),
                    ("Lasts", f"{tried.audio_ms / 1000:.1f} s{', cut' if tried.cut else ''}"),
                    ("Rate", f"{tried.rate / 1000:g} kHz"),
                ):
                    Words("dt", name)
                    Words("dd", value)
            Words("p", tried.said, "small soft said")
        _play(self._player, tried.audio, now=play)


# --- the microphone to every recogniser


class _Hearing:
    def __init__(self, visit: Visit, engines: list[RecogniserEngine]) -> None:
        self._visit = visit
        self._engines = engines
        self._trier = Trier(visit.gateway, visit.user.name)
        self._wav = b""
        self._recording = False
        self._takes = 0

    def build(self) -> None:
        guard = self._visit.needs(Role.OPERATOR, "recognisers.try")
        first = self._visit.user.language
        hint = f"Speak for {LONGEST_S} s at most, or take a WAV file; nothing of it is kept."
        with panel("The microphone, heard by every recogniser", hint=hint):
            with ui.element("div").classes("row-start choices"):
                self._language = ui.select(_LANGUAGES, value=first, label="Language")
                self._rate = ui.select(
                    {8000: "as by telephone, 8 kHz", 16000: "16 kHz"}, value=8000, label="Heard at"
                )
                for each in (self._language, self._rate):
                    each.props("dense outlined options-dense").classes("choice")
                self._button = ui.button("Record", icon="mic", on_click=guard(self._toggle))
                again = ui.button("Hear it again", icon="replay", on_click=guard(self._hear)).props("flat")
                again.tooltip("The same recording, with what is chosen now")
                upload = ui.upload(
                    max_file_size=MOST_BYTES,
                    max_files=1,
                    auto_upload=True,
                    on_upload=guard(self._uploaded),
                    on_rejected=self._rejected,
                )
                upload.props("accept=.wav").classes("upload")
                take = ui.button("Take a WAV file", icon="upload_file").props("flat")
                take.on_click(lambda: upload.run_method("pickFiles"))
            with ui.element("div").classes("meter level").props("aria-hidden=true"):
                self._level = ui.element("div").classes("meter-fill").style("width: 0")
            self._player = (
                ui.element("audio").props('controls hidden aria-label="The recording"').classes("wide")
            )
            self._phrases = ui.textarea("What may be said, one phrase a line", value=_PHRASES[first])
            self._phrases.props("outlined dense autogrow").classes("wide")
            Words(
                "p", "Recognisers of phrases need some; those of free speech lean towards them.", "small soft"
            )
            self._language.on_value_change(self._language_changed)
            self._results = ui.element("div").classes("scrolls")
        self._show_results({})

    def _language_changed(self, event: events.ValueChangeEventArguments[str]) -> None:
        if self._phrases.value in _PHRASES.values():
            self._phrases.set_value(_PHRASES[event.value])
        self._show_results({})

    async def _toggle(self) -> None:
        if self._recording:
            await self._stop()
            return
        why = await ui.run_javascript(
            f"return await window.ivrTrying.record({LONGEST_S}, {json.dumps(self._level.html_id)})",
            timeout=30.0,
        )
        if why:
            ui.notify(str(why), type="negative")
            return
        self._recording = True
        self._takes += 1
        self._button.set_text("Stop")
        self._button.props("icon=stop color=negative")
        take = self._takes
        ui.timer(LONGEST_S, lambda: self._time_is_over(take), once=True)

    async def _time_is_over(self, take: int) -> None:
        if self._recording and take == self._takes:
            await self._stop()

    async def _stop(self) -> None:
        self._recording = False
        self._button.set_text("Record")
        self._button.props("icon=mic color=primary")
        self._level.style("width: 0")
        text = await ui.run_javascript("return await window.ivrTrying.stop()", timeout=15.0)
        try:
            wav = base64.b64decode(str(text or ""), validate=True)
        except binascii.Error:
            wav = b""
        if not wav:
            ui.notify("Nothing was recorded.", type="warning")
            return
        await self._take(wav)

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        event.sender.reset()  # type: ignore[attr-defined]
        await self._take(await event.file.read())

    def _rejected(self) -> None:
        ui.notify(f"WAV files of {MOST_BYTES // 2**20} MB at most are taken.", type="negative")

    async def _take(self, wav: bytes) -> None:
        if (why := recording_fault(wav)) is not None:
            ui.notify(why, type="negative")
            return
        self._wav = wav
        _play(self._player, base64.b64encode(wav).decode(), now=False)
        await self._hear()

    async def _hear(self) -> None:
        if not self._wav:
            ui.notify("Record something first.", type="info")
            return
        language = self._language.value
        phrases = tuple(line.strip() for line in (self._phrases.value or "").splitlines() if line.strip())[
            :100
        ]
        recording = Recording(self._wav, language, phrases, self._rate.value)
        results: dict[str, RecogniserTried | Failed] = {}
        engines = [one.engine for one in self._engines if language in one.languages]

        def told(tried: RecogniserTried | Failed) -> None:
            results[tried.engine] = tried
            self._show_results(results)

        await asyncio.shield(self._trier.hear(engines, recording, told))

    def _show_results(self, results: dict[str, RecogniserTried | Failed]) -> None:
        engines = [one for one in self._engines if self._language.value in one.languages]
        self._results.clear()
        with self._results:
            if not engines:
                empty("No recogniser hears this language.")
                return
            with ui.element("table").classes("grid-table"):
                with ui.element("thead"), ui.element("tr"):
                    for title, right in (
                        ("Recogniser", ""),
                        ("Heard", ""),
                        ("Confidence", "right"),
                        ("Took", "right"),
                    ):
                        Words("th", title, right).props("scope=col")
                with ui.element("tbody"):
                    for engine in engines:
                        self._row(engine, results.get(engine.engine))

    def _row(self, engine: RecogniserEngine, tried: RecogniserTried | Failed | None) -> None:
        free = self._language.value in engine.free
        with ui.element("tr"):
            with ui.element("td"):
                Words("span", engine.engine, "strong")
                Words("span", "free speech" if free else "phrases", "soft small verb-of")
            if tried is None:
                Words("td", "–", "soft")
                Words("td", "", "right")
                Words("td", "", "right")
            elif isinstance(tried, Failed):
                Words("td", tried.reason, "tone-bad small").props("colspan=3")
            else:
                Words("td", tried.text or "nothing of what it listened for", "" if tried.text else "soft")
                Words("td", f"{tried.confidence:.0%}" if tried.text else "", "right")
                Words("td", f"{tried.wait_ms:.0f} ms", "right")


def _play(player: Element, audio: str, *, now: bool) -> None:
    """Also from a task that is no event of the page."""
    told = ", ".join(json.dumps(each) for each in (player.html_id, audio, now))
    player.client.run_javascript(f"window.ivrTrying?.play({told})")


PAGE = Page("/voices", "Voice testing", "record_voice_over", Role.VIEWER, build)
