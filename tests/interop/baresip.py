"""baresip, headless: a tone for a microphone, a bridge for a loudspeaker, WAV files of what it hears, JSON
over TCP.

Only modules of Debian's baresip-core are used, so that no sound card is needed.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.interop import needs
from tests.interop.ports import free_tcp, free_udp
from tests.interop.security import Identity
from tests.interop.sounds import is_tone, pcm_of, sounding_s, write_tone

MODULES = Path("/usr/lib/baresip/modules")
WAIT_S = 20.0

_CONFIG = """\
poll_method epoll
sip_listen 127.0.0.1:{sip}
call_local_timeout 120
audio_player aubridge,loudspeaker
audio_source aufile,{tone}
audio_alert aubridge,bell
ausrc_format s16
auplay_format s16
rtp_ports {rtp}-{rtp_end}
jitter_buffer_delay 1-5
module_path {modules}
sip_certificate {certificate}
sip_cafile {ca}
module g711.so
module g722.so
module srtp.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {heard}
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
statmode_default off
"""


class Baresip:
    """One running baresip; events are dictionaries with a `type` such as CALL_ESTABLISHED."""

    def __init__(self, control: socket.socket, uri: str, heard: Path, rate: int, log: Path) -> None:
        self.uri = uri
        self.events: list[dict[str, Any]] = []
        self._control = control
        self._heard = heard
        self._rate = rate
        self._log = log
        self._buffer = b""

    def command(self, name: str, params: str = "") -> None:
        """One of baresip's long commands: dial, hangup, accept, sndcode, hold, resume, transfer."""
        text = json.dumps({"command": name, "params": params, "token": name}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))

    def press(self, keys: str) -> None:
        for key in keys:
            self.command("sndcode", key)
            time.sleep(0.35)

    def wait_for(self, kind: str, within_s: float = WAIT_S) -> dict[str, Any]:
        """The first event of that type that was not waited for yet."""
        deadline = time.monotonic() + within_s
        while True:
            for index, event in enumerate(self.events):
                if event.get("type") == kind:
                    del self.events[: index + 1]
                    return event
            if time.monotonic() > deadline:
                seen = [event.get("type") for event in self.events]
                raise AssertionError(
                    f"baresip: no {kind} but {seen}\n{self._log.read_text(errors='replace')}"
                )
            self._read()

    def wait_for_sound(self, seconds: float, within_s: float = WAIT_S) -> None:
        """Waits until so much sound was heard in the last call."""
        deadline = time.monotonic() + within_s
        while self.heard_s() < seconds:
            assert time.monotonic() < deadline, f"baresip heard only {self.heard_s():.2f} s of sound"
            self._read()

    def wait_for_tone(self, hz: float, within_s: float = WAIT_S) -> None:
        """Waits until the last half second that was heard is that tone, and little else."""
        deadline = time.monotonic() + within_s
        while not is_tone(self._heard_pcm()[-self._rate :], hz, self._rate):
            assert time.monotonic() < deadline, f"baresip did not hear {hz:g} Hz"
            self._read()

    def heard_s(self) -> float:
        """Seconds of sound in what it heard in its last call."""
        return sounding_s(self._heard_pcm(), self._rate)

    def _heard_pcm(self) -> bytes:
        files = sorted(self._heard.glob("*-dec.wav"), key=lambda path: path.stat().st_mtime)
        return pcm_of(files[-1]) if files else b""

    def _read(self) -> None:
        self._control.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            self._buffer += self._control.recv(65536)
        while b":" in self._buffer:
            length, _, rest = self._buffer.partition(b":")
            size = int(length)
            if len(rest) <= size:
                return
            self._buffer = rest[size + 1 :]
            message = json.loads(rest[:size])
            if message.get("event"):
                self.events.append(message)


@contextlib.contextmanager
def baresip(
    folder: Path, *, answers: bool, codecs: str = "PCMA,PCMU", security: Identity | None = None
) -> Iterator[Baresip]:
    """Runs baresip; with `answers` it takes every call at once, with `security` it speaks TLS, and SRTP with
    the keys in the SDP."""
    program = needs.command("baresip", "baresip-core")
    sip, control, rtp = free_udp(), free_tcp(), free_udp()
    rate = 16000 if codecs == "G722/16000" else 8000
    heard = folder / "heard"
    heard.mkdir(parents=True)
    (folder / "config").write_text(
        _CONFIG.format(
            sip=sip,
            control=control,
            rtp=rtp,
            rtp_end=rtp + 20,
            heard=heard,
            tone=write_tone(folder / "tone.wav", rate=rate),
            modules=MODULES,
            certificate=_certificate(folder, security) if security else "",
            ca=security.ca if security else "",
        )
    )
    uri = f"sip:baresip@127.0.0.1:{sip}"
    if security:
        uri = f"sip:baresip@127.0.0.1:{sip + 1};transport=tls"  # it adds one for TLS
    mode = "auto" if answers else "manual"
    media = ";mediaenc=srtp-mand" if security else ""
    (folder / "accounts").write_text(f"<{uri}>;regint=0;answermode={mode};audio_codecs={codecs}{media}\n")
    (folder / "contacts").write_text("")
    log = folder / "baresip.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-4", "-n", "127.0.0.1", "-f", str(folder), "-p", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        with _connected(control, process, log) as connection:
            yield Baresip(connection, uri, heard, rate, log)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _certificate(folder: Path, identity: Identity) -> Path:
    """One file with key and certificate, as it wants them."""
    both = folder / "own.pem"
    both.write_text(Path(identity.key).read_text() + Path(identity.certificate).read_text())
    return both


def _connected(port: int, process: subprocess.Popen[bytes], log: Path) -> socket.socket:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"baresip did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.05)
