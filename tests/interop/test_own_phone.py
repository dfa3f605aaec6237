"""`ivr phone` as an author uses it: a script against the server, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.local import LocalServer
from tests.interop.our_phone import ivr_phone
from tests.interop.sounds import pcm_of, sounding_s

SCRIPT = """\
- hear
- press: "1"
- hear
- quiet
- press: 45#
- hear
- hung_up: 20s
"""


@pytest.mark.shows("ivr phone", "calls us, hears the prompt", "keys to us", "we hang up")
def test_a_script_from_the_command_line(server: LocalServer, tmp_path: Path) -> None:
    script, recording = tmp_path / "call.yaml", tmp_path / "heard.wav"
    script.write_text(SCRIPT, encoding="utf-8")
    before = {call["id"] for call in server.api.calls()}
    done = ivr_phone(server.uri("1001"), "--script", str(script), "--record", str(recording))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "presses 45#" in done.stdout
    assert sounding_s(pcm_of(recording)) > 1.0
    (call_id,) = {call["id"] for call in server.api.calls()} - before
    assert server.api.ended(call_id)["result"] == {"decision": "accepted", "minutes": 45}


def test_nobody_there() -> None:
    done = ivr_phone("sip:1001@127.0.0.1:9;transport=tcp", "--say", "हाँ")
    assert done.returncode == 1
    assert "the call is over" in done.stderr
