"""libespeak-ng through ctypes: one voice at a time, one text at a time, never from two threads.

The library keeps its state in globals; two texts at once corrupt it. It is GPL-3.0, and is loaded in worker
processes only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import espeakng_loader

# espeak_ng's speak_lib.h
_SYNCHRONOUS: Final = 2
_CHARS_UTF8: Final = 1
_POSITION_CHARACTER: Final = 1
_RATE: Final = 1
_IPA: Final = 2
_OK: Final = 0
_CONTINUE: Final = 0
_ABORT: Final = 1

_CHUNK_MS: Final = 60
"""Length of the pieces in which the library hands out audio."""

_Callback: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class EspeakError(Exception):
    """The library refused."""


class EspeakLibrary:
    """The loaded library; at most one object of it in a process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        self._declare()
        data = str(espeakng_loader.get_data_path()).encode()
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, _CHUNK_MS, data, 0)
        """Hz."""
        if self.sample_rate <= 0:
            raise EspeakError(f"espeak-ng cannot load its data from {data.decode()}")
        info = self._library.espeak_Info(None)
        self.version: str = info.decode() if info else "unknown"
        self._voice = ""
        self._sink: Callable[[bytes], bool] = _refuse
        # The library keeps the pointer: the object must live as long.
        self._callback = _Callback(self._chunk)
        self._library.espeak_SetSynthCallback(self._callback)

    def set_voice(self, name: str) -> None:
        """Chooses a voice by espeak-ng's own name ("hi", "en-us", "hi+f2"); raises `EspeakError` when there
        is none.
        """
        if name == self._voice:
            return
        # An unknown name leaves the former voice in place and is told by the status alone.
        if self._library.espeak_SetVoiceByName(name.encode()) != _OK:
            raise EspeakError(f"espeak-ng has no voice {name!r}")
        self._voice = name

    def set_rate(self, words_per_minute: int) -> None:
        """80 to 450."""
        if self._library.espeak_SetParameter(_RATE, words_per_minute, 0) != _OK:
            raise EspeakError(f"espeak-ng refuses a rate of {words_per_minute} words a minute")

    def speak(self, text: str, sink: Callable[[bytes], bool]) -> None:
        """Synthesises, and calls `sink` with each piece of PCM as it is made, until it returns False.

        Mono 16-bit at `sample_rate`. The pitch varies a little from one time to the next, as the library
        wants it.
        """
        encoded = text.encode()
        self._sink = sink
        try:
            status = self._library.espeak_Synth(
                encoded, len(encoded) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
            )
        finally:
            self._sink = _refuse
        if status != _OK:
            raise EspeakError(f"espeak-ng failed with status {status}")

    def phonemes(self, text: str) -> str:
        """How the current voice says `text`, in espeak-ng's ASCII phoneme names, separated by "_" and by
        blanks between words.
        """
        buffer = ctypes.create_string_buffer(text.encode())
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses: list[str] = []
        while position.value:  # one clause a call
            clause = self._library.espeak_TextToPhonemes(
                ctypes.byref(position), _CHARS_UTF8, _IPA | ord("_") << 8
            )
            if clause:
                clauses.append(clause.decode())
        return " ".join(clauses)

    def _chunk(self, samples: int | None, count: int, _events: int | None) -> int:
        if not samples or count <= 0:
            return _CONTINUE
        return _CONTINUE if self._sink(ctypes.string_at(samples, count * 2)) else _ABORT

    def _declare(self) -> None:
        library: Any = self._library
        library.espeak_Initialize.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
        library.espeak_Info.argtypes = (ctypes.c_void_p,)
        library.espeak_Info.restype = ctypes.c_char_p
        library.espeak_SetSynthCallback.argtypes = (_Callback,)
        library.espeak_SetSynthCallback.restype = None
        library.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
        library.espeak_SetParameter.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int)
        library.espeak_Synth.argtypes = (
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        library.espeak_TextToPhonemes.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int)
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p


def _refuse(_pcm: bytes) -> bool:
    return False
