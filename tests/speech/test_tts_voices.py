"""Voices of people: with consent, for their owner alone, over restarts, and gone without a trace."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import wave
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from engines.tts import profiles
from engines.tts.profiles import Consent, ProfileError, VoiceProfiles
from engines.tts.service.desk import Desk
from engines.tts.service.elsewhere import following
from tests.speech.conftest import KEYS, Stage

CONSENT = {
    "consent_given_by": "Asha Patil",
    "consent_given_at": "2026-01-31T10:30:00+05:30",
    "consent_wording": "I allow the shop to use my voice for its announcements.",
}
FORM = {"name": "Asha at the counter", "language": "hi", "transcript": "नमस्ते, मैं आशा हूँ।", **CONSENT}


def speech(seconds: float = 10.0, rate: int = 16000, amplitude: float = 0.2) -> bytes:
    """A WAV file of noise in syllables."""
    at = np.arange(int(seconds * rate))
    noise = np.random.default_rng(5).standard_normal(len(at)) * amplitude * (np.sin(at * 20 / rate) > -0.5)
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes((np.clip(noise, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


ASHA = speech()


async def keep(client: httpx.AsyncClient, content: bytes = ASHA, **form: Any) -> httpx.Response:
    data = {name: value for name, value in {**FORM, **form}.items() if value is not None}
    return await client.post("/v1/voices", data=data, files={"file": ("asha.wav", content, "audio/wav")})


async def clone(client: httpx.AsyncClient, content: bytes = ASHA, **form: Any) -> httpx.Response:
    fields = {"input": "नमस्ते", "response_format": "pcm", **CONSENT, **form}
    data = {name: value for name, value in fields.items() if value is not None}
    return await client.post("/v1/audio/clone", data=data, files={"file": ("asha.wav", content, "audio/wav")})


async def say(client: httpx.AsyncClient, voice: str, **more: Any) -> httpx.Response:
    body = {"input": "आपका ऑर्डर तैयार है।", "voice": voice, "response_format": "pcm", **more}
    return await client.post("/v1/audio/speech", json=body)


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_a_profile_is_kept_spoken_with_and_deleted(stage: Stage) -> None:
    async with stage.client() as client:
        made = await keep(client)
        assert made.status_code == 201, made.text
        profile = made.json()
        voice = profile["id"]
        assert profile["engine"] == "chatterbox-multilingual"
        assert profile["seconds"] == pytest.approx(10, abs=0.01)
        assert profile["consent"] == {
            "given_by": "Asha Patil",
            "given_at": "2026-01-31T10:30:00+05:30",
            "wording": CONSENT["consent_wording"],
        }
        assert (await client.get(f"/v1/voices/{voice}")).json() == profile
        assert (await client.get("/v1/voices")).json()["voices"][0] == profile
        spoken = await say(client, voice)
        assert spoken.status_code == 200, spoken.text
        assert spoken.headers["x-engine"] == "chatterbox-multilingual"
        assert spoken.headers["x-watermark"] == "perth"
        reference = stage.cloning.requests[-1].reference
        assert reference is not None
        assert (reference.key, reference.transcript) == (voice, FORM["transcript"])
        assert files_of(stage.folder) == [f"{voice}/profile.json", f"{voice}/reference.wav"]
        assert [path.stat().st_mode & 0o077 for path in (stage.folder, stage.folder / voice)] == [0, 0]
        assert (stage.folder / voice / "reference.wav").stat().st_mode & 0o077 == 0

        assert (await client.delete(f"/v1/voices/{voice}")).status_code == 204
        assert files_of(stage.folder) == []
        assert stage.cloning.forgotten == [voice]
        for gone in (
            await client.get(f"/v1/voices/{voice}"),
            await client.delete(f"/v1/voices/{voice}"),
            await say(client, voice),
        ):
            assert gone.status_code == 404
            assert gone.json()["error"]["code"] == "voice_not_found"


async def test_profiles_survive_a_restart(stage: Stage) -> None:
    async with stage.client() as client:
        profile = (await keep(client)).json()
    async with stage.client() as client:
        assert (await client.get(f"/v1/voices/{profile['id']}")).json() == profile
        assert (await say(client, profile["id"])).status_code == 200


async def test_a_profile_is_its_owners_alone(stage: Stage) -> None:
    stage.keys = KEYS
    app = stage.app()

    def client(key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://tts",
            headers={"Authorization": f"Bearer {KEYS[key]}"},
        )

    async with client("shop") as shop, client("clinic") as clinic:
        voice = (await keep(shop)).json()["id"]
        for refused in (
            await clinic.get(f"/v1/voices/{voice}"),
            await clinic.delete(f"/v1/voices/{voice}"),
            await say(clinic, voice),
        ):
            assert refused.status_code == 404
        assert all(each["kind"] == "engine" for each in (await clinic.get("/v1/voices")).json()["voices"])
        assert (await say(shop, voice)).status_code == 200
        nobody = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tts")
        assert (await nobody.get("/v1/voices")).status_code == 401
        assert (await keep(nobody)).status_code == 401


async def test_a_voice_for_one_text_leaves_nothing(stage: Stage) -> None:
    async with stage.client() as client:
        spoken = await clone(client)
        assert spoken.status_code == 200, spoken.text
        assert spoken.headers["x-engine"] == "chatterbox-multilingual"
        assert len(stage.cloning.references) == 1
        assert not stage.still_there(stage.cloning.references[0])
        assert stage.cloning.forgotten == [stage.cloning.requests[-1].reference.key]  # type: ignore[union-attr]
        assert files_of(stage.folder) == []


@pytest.mark.parametrize(
    ("content", "form", "status", "code", "said"),
    [
        (b"", {}, 400, "empty_audio", "0 bytes"),
        (b"<html>not audio</html>", {}, 400, "unreadable_audio", "not audio"),
        (ASHA[:600], {}, 400, "reference_too_short", "8 s are needed"),
        (speech(3), {}, 400, "reference_too_short", "3.0 s long"),
        (speech(61, 8000), {}, 413, "audio_too_long", "60"),
        (speech(amplitude=0.0), {}, 400, "reference_silent", "silent"),
        (ASHA, {"consent_given_by": None}, 400, "invalid_value", "consent_given_by"),
        (ASHA, {"consent_given_by": "  "}, 400, "invalid_consent", "who gave it"),
        (ASHA, {"consent_wording": "ok"}, 400, "invalid_value", "consent_wording"),
        (ASHA, {"consent_given_at": "yesterday"}, 400, "invalid_consent", "2026-01-31T10:30:00+05:30"),
        (ASHA, {"consent_given_at": "2026-01-31T10:30:00"}, 400, "invalid_consent", "consent_given_at"),
        (ASHA, {"consent_given_at": "2999-01-31T10:30:00Z"}, 400, "invalid_consent", "in the future"),
        (ASHA, {"language": "mr"}, 400, "cannot_clone", "chatterbox-multilingual can, in other languages"),
        (ASHA, {"model": "kokoro"}, 400, "cannot_clone", "no engine here clones a voice"),
        (ASHA, {"model": "nonesuch"}, 404, "model_not_found", "there are espeak"),
    ],
)
async def test_no_voice_without_consent_and_clear_speech(
    stage: Stage, content: bytes, form: dict[str, Any], status: int, code: str, said: str
) -> None:
    async with stage.client() as client:
        for answer in (await keep(client, content, **form), await clone(client, content, **form)):
            assert answer.status_code == status, answer.text
            error = answer.json()["error"]
            assert error["code"] == code
            assert said in error["message"]
        assert files_of(stage.folder) == []
        assert stage.cloning.requests == []


async def test_a_profile_speaks_only_with_its_engine(stage: Stage) -> None:
    async with stage.client() as client:
        voice = (await keep(client)).json()["id"]
        assert (await say(client, voice, model="chatterbox-multilingual")).status_code == 200
        for change, code in (
            ({"model": "espeak"}, "voice_of_another_model"),
            ({"language": "mr"}, "unsupported_language"),
        ):
            refused = await say(client, voice, **change)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)


async def test_no_log_names_a_person_or_a_text(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage.client() as client:
        voice = (await keep(client)).json()["id"]
        await say(client, voice)
        await clone(client)
        await client.delete(f"/v1/voices/{voice}")
    assert not any(word in caplog.text for word in ("Asha", "आशा", "announcements", "ऑर्डर", "नमस्ते"))


def made(store: VoiceProfiles) -> profiles.VoiceProfile:
    return store.make(
        name="n",
        owner="shop",
        language="hi",
        engine="xtts-v2",
        transcript="",
        consent=Consent("a", "2026-01-31T10:30:00Z", "yes, do"),
        pcm=bytes(48000),
        rate=24000,
    )


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    store = VoiceProfiles(tmp_path)
    kept, half_gone = made(store), made(store)
    (tmp_path / half_gone.id).rename(tmp_path / f".gone-{half_gone.id}")
    (tmp_path / ".making-voice_0").mkdir()
    (tmp_path / ".making-voice_0" / "reference.wav").write_bytes(b"half")
    os.utime(tmp_path / ".making-voice_0", (1, 1))
    (tmp_path / "notes.txt").write_text("somebody else's")
    again = VoiceProfiles(tmp_path)
    assert again.of("shop") == [kept]
    assert again.of("clinic") == []
    assert {path.name for path in tmp_path.iterdir()} == {kept.id, "notes.txt"}
    assert json.loads((tmp_path / kept.id / "profile.json").read_text())["consent"]["given_by"] == "a"


async def test_services_that_share_the_folder_know_of_each_other(stage: Stage) -> None:
    """What one makes, the other speaks with; what one deletes the other and its engines forget."""
    one, two = VoiceProfiles(stage.folder), VoiceProfiles(stage.folder)
    profile = made(one)
    (stage.folder / ".making-voice_1").mkdir()  # the other one's, under way
    assert two.of("shop") == [profile]
    one.delete(profile)
    assert two.find(profile.id, "shop") is None
    assert one.deleted_elsewhere() == []
    async with following(two, Desk(stage.engines, {}, two), every_s=0.01), asyncio.timeout(20):
        while stage.cloning.forgotten != [profile.id]:
            await asyncio.sleep(0.01)
    VoiceProfiles(stage.folder)
    assert [path.name for path in stage.folder.iterdir()] == [".making-voice_1"]


def test_a_full_disk_leaves_nothing_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = VoiceProfiles(tmp_path)

    def full(path: Path, pcm: bytes, rate: int) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(profiles, "write_reference", full)
    with pytest.raises(OSError, match="No space left"):
        made(store)
    assert list(tmp_path.iterdir()) == []
    assert store.of("shop") == []


def test_there_are_never_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MOST_PROFILES", 2)
    store = VoiceProfiles(tmp_path)
    first = made(store)
    made(store)
    with pytest.raises(ProfileError, match="2 voice profiles already"):
        made(store)
    store.delete(first)
    store.delete(first)
    assert made(store)
