"""linphonec, headless: WAV files for a sound card, commands on its standard input, what it says on its
output."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.interop import needs
from tests.interop.ports import free_udp
from tests.interop.security import Identity
from tests.interop.sounds import pcm_of, sounding_s, write_tone

WAIT_S = 20.0

_CONFIG = """\
[sip]
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
bind_address=127.0.0.1
guess_hostname=0
contact="linphone" <sip:linphone@127.0.0.1>
use_ipv6=0
use_info=0
use_rfc2833=1
media_encryption={encryption}
media_encryption_mandatory={mandatory}
root_ca={ca}
verify_server_cn=0
client_cert_chain={certificate}
client_cert_key={key}

[net]
dns_srv_enabled=0
dns_search_enabled=0

[rtp]
bind_address=127.0.0.1
audio_rtp_port={rtp}
audio_jitt_comp=20

[video]
enabled=0
automatically_initiate=0
automatically_accept=0
"""
_CODECS = {
    "PCMA": 8000,
    "PCMU": 8000,
    "G722": 8000,
    "opus": 48000,
    "speex": 16000,
    "GSM": 8000,
    "G729": 8000,
}


class Linphone:
    """One running linphonec."""

    def __init__(self, process: subprocess.Popen[str], uri: str, heard: Path, log: Path) -> None:
        self.uri = uri
        self._process = process
        self._heard = heard
        self._log = log
        self._said = ""
        self._read_to = 0
        assert process.stdout is not None
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def say(self, command: str) -> None:
        """One of linphonec's commands: call, terminate, pause, resume, transfer; digits are pressed."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def wait_for(self, text: str, within_s: float = WAIT_S) -> re.Match[str]:
        """The next line (or part of one) that it says like this regular expression."""
        deadline = time.monotonic() + within_s
        while True:
            said = self._said
            if found := re.compile(text).search(said, self._read_to):
                self._read_to = found.end()
                return found
            assert time.monotonic() < deadline, f"linphonec does not say {text!r} but\n{said}"
            time.sleep(0.02)

    def heard_s(self) -> float:
        """Seconds of sound in what it recorded; it writes the file when its streams end."""
        return sounding_s(pcm_of(self._heard)) if self._heard.exists() else 0.0

    def signalling(self) -> str:
        """What it sent and received, and more: its log."""
        return self._log.read_text(errors="replace")

    def _read(self, output: IO[str]) -> None:
        while part := output.read(1):
            self._said += part


@contextlib.contextmanager
def linphone(
    folder: Path,
    *,
    answers: bool,
    codecs: Sequence[str] = ("PCMA", "PCMU"),
    security: Identity | None = None,
) -> Iterator[Linphone]:
    """Runs linphonec; with `answers` it takes every call at once, with `security` it speaks TLS, and SRTP
    with the keys in the SDP."""
    program = needs.command("linphonec", "linphone-cli")
    (folder / ".local/share/linphone").mkdir(parents=True)
    port, heard, log = free_udp(), folder / "heard.wav", folder / "linphone.log"
    config = _CONFIG.format(
        udp=0 if security else port,
        tcp=0 if security else port,
        tls=port if security else 0,
        encryption="srtp" if security else "none",
        mandatory=int(security is not None),
        ca=security.ca if security else "",
        certificate=security.certificate if security else "",
        key=security.key if security else "",
        rtp=free_udp(),
    )
    known = [*codecs, *(name for name in _CODECS if name not in codecs)]
    for index, name in enumerate(known):
        channels = 2 if name == "opus" else 1
        config += f"\n[audio_codec_{index}]\nmime={name}\nrate={_CODECS[name]}\nchannels={channels}\n"
        config += f"enabled={int(name in codecs)}\n"
    config += f"\n[audio_codec_{len(known)}]\nmime=speex\nrate=8000\nchannels=1\nenabled=0\n"
    (folder / "linphonerc").write_text(config)
    arguments = ["-c", str(folder / "linphonerc"), "-b", os.devnull, "-d", "6", "-l", str(log)]
    process = subprocess.Popen(
        [program, *arguments, *(["-a"] if answers else [])],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "TERM": "dumb"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    try:
        way = ";transport=tls" if security else ""
        phone = Linphone(process, f"sip:linphone@127.0.0.1:{port}{way}", heard, log)
        phone.wait_for("linphonec>")
        phone.say("soundcard use files")
        phone.say(f"play {write_tone(folder / 'tone.wav')}")
        phone.say(f"record {heard}")
        yield phone
    finally:
        with contextlib.suppress(OSError, ValueError):
            phone.say("quit")
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
