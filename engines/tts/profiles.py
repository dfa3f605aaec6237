"""Voice profiles: a person's voice with the consent to use it. Kept in a folder each, so that deleting one
deletes all of it.

A profile is `ID/profile.json` and `ID/reference.wav`. Both are written beside and renamed into place; what a
crash left half made or half deleted is cleared away at the next start. Several services may share the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from engines.contract import VoiceReference

MOST_PROFILES: Final = 1000
PREFIX: Final = "voice_"
_ID: Final = re.compile(rf"{PREFIX}[0-9a-f]{{24}}")
_MAKING, _GONE = ".making-", ".gone-"
_LONGEST_MAKING_S: Final = 600.0
"""What is older was left by a crash; what is not may be another service's work."""


class ProfileError(Exception):
    """The profile cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who allowed the use of his voice, when (an ISO 8601 time with its zone), and in what words."""

    given_by: str
    given_at: str
    wording: str


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """`owner` is the holder of the API key that made it, `created_at` Unix time, `seconds` its reference."""

    id: str
    name: str
    owner: str
    language: str
    engine: str
    transcript: str
    seconds: float
    created_at: float
    consent: Consent


class VoiceProfiles:
    """All profiles, in memory and on disk. Reads and writes block: call what writes from a thread."""

    def __init__(self, folder: Path) -> None:
        """Reads `folder`, which is made where there is none. Raises `OSError`."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        for left in (*filter(_crashed, folder.glob(f"{_MAKING}*")), *folder.glob(f"{_GONE}*")):
            shutil.rmtree(left, onerror=_unless_gone)
        self._stamp = folder.stat().st_mtime_ns
        self._profiles = {profile.id: profile for profile in _read_all(folder)}
        self._deleted_elsewhere: list[str] = []

    def deleted_elsewhere(self) -> list[str]:
        """The ids of profiles that another service deleted since the last call."""
        self._look()
        gone, self._deleted_elsewhere = self._deleted_elsewhere, []
        return gone

    def of(self, owner: str) -> list[VoiceProfile]:
        """Oldest first."""
        self._look()
        found = [profile for profile in self._profiles.values() if profile.owner == owner]
        return sorted(found, key=lambda profile: profile.created_at)

    def find(self, profile_id: str, owner: str) -> VoiceProfile | None:
        """None also for what belongs to another: nobody learns that it exists."""
        self._look()
        profile = self._profiles.get(profile_id)
        return profile if profile and profile.owner == owner else None

    def reference(self, profile: VoiceProfile) -> VoiceReference:
        return VoiceReference(
            profile.id, str(self._folder / profile.id / "reference.wav"), profile.transcript
        )

    def make(
        self,
        *,
        name: str,
        owner: str,
        language: str,
        engine: str,
        transcript: str,
        consent: Consent,
        pcm: bytes,
        rate: int,
    ) -> VoiceProfile:
        """Keeps a new profile; it is on disk when this returns. `pcm` is mono, 16-bit, at `rate` Hz.

        Raises `ProfileError` when there are too many, `OSError` when it cannot be written.
        """
        if len(self._profiles) >= MOST_PROFILES:
            raise ProfileError(f"there are {MOST_PROFILES} voice profiles already: delete some")
        profile = VoiceProfile(
            id=new_id(),
            name=name,
            owner=owner,
            language=language,
            engine=engine,
            transcript=transcript,
            seconds=round(len(pcm) / 2 / rate, 2),
            created_at=time.time(),
            consent=consent,
        )
        making = self._folder / f"{_MAKING}{profile.id}"
        making.mkdir(mode=0o700)
        try:
            write_reference(making / "reference.wav", pcm, rate)
            text = json.dumps(asdict(profile), ensure_ascii=False, indent=2)
            (making / "profile.json").write_text(text, encoding="utf-8")
            for path in making.iterdir():
                _sync(path)
            making.rename(self._folder / profile.id)
            _sync(self._folder)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        self._profiles[profile.id] = profile
        return profile

    def delete(self, profile: VoiceProfile) -> None:
        """Nothing of it is on disk afterwards; nothing happens when it was deleted meanwhile. Raises
        `OSError`.
        """
        if self._profiles.pop(profile.id, None) is None:
            return
        gone = self._folder / f"{_GONE}{profile.id}"
        try:
            (self._folder / profile.id).rename(gone)
        except OSError:
            self._profiles[profile.id] = profile
            raise
        _sync(self._folder)
        shutil.rmtree(gone, onerror=_unless_gone)

    def _look(self) -> None:
        """Takes over what another service made or deleted: the folder changes with it."""
        stamp = self._folder.stat().st_mtime_ns
        if stamp == self._stamp:
            return
        self._stamp = stamp
        there = {path.name for path in self._folder.iterdir() if _ID.fullmatch(path.name)}
        gone = [known for known in self._profiles if known not in there]
        for known in gone:
            if self._profiles.pop(known, None) is not None:  # unless it was deleted here, just now
                self._deleted_elsewhere.append(known)
        if there - self._profiles.keys():
            self._profiles |= {each.id: each for each in _read_all(self._folder) if each.id in there}


def profiles_in(folder: Path) -> list[VoiceProfile]:
    """Those of a folder, which is left as it is; none where there is no folder."""
    return list(_read_all(folder))


def new_id() -> str:
    """Says nothing of whose voice it is: it stands in logs."""
    return PREFIX + secrets.token_hex(12)


def write_reference(path: Path, pcm: bytes, rate: int) -> None:
    """A WAV file that only we may read."""
    path.touch(mode=0o600)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)


def _crashed(making: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - making.stat().st_mtime > _LONGEST_MAKING_S
    return False


def _unless_gone(_function: object, _path: str, error: tuple[object, BaseException, object]) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _read_all(folder: Path) -> Iterator[VoiceProfile]:
    for path in folder.glob("*/profile.json"):
        if _ID.fullmatch(path.parent.name):
            try:
                fields = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:  # deleted by another service meanwhile
                continue
            yield VoiceProfile(**{**fields, "consent": Consent(**fields["consent"])})


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
