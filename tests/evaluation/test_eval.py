"""`ivr eval asr` against a service: what was said and heard, by language."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from engines.contract import Transcript
from engines.service.encoding import AudioFormat, encode
from ivr.evaluation.asr import Options, run
from ivr.evaluation.line import Line
from tests.engines.test_asr_client import service
from tests.fakes.speech import spoken
from tests.service.asr.conftest import KEY, Scripted


async def test_errors_by_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, language in (("a", "hi"), ("b", "en")):
        (tmp_path / f"{name}.wav").write_bytes(encode(spoken("हाँ", language), 8000, AudioFormat.WAV))
    lines = [
        {"audio": "a.wav", "text": "मेरा ऑर्डर", "lang": "hi"},
        {"audio": "b.wav", "text": "my order is", "lang": "en"},
        {"audio": "b.wav", "text": "किती", "lang": "mr"},
    ]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    engine = Scripted(answer=Transcript("मेरा ऑर्डर", "hi", 0.9))
    async with service(engine) as url:
        options = Options(manifest, url=url, key=KEY, line=Line(snr_db=20, loss=0.01))
        assert await asyncio.to_thread(run, options) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["recordings"] == 3
    assert report["languages"]["hi"] == {"recordings": 1, "wer": 0.0, "cer": 0.0}
    assert report["languages"]["en"]["wer"] == 1.0
    assert report["worst"][0]["said"] == "my order is"
    assert "does not understand 'mr'" in report["failures"][0]
    assert report["line"] == {"snr_db": 20, "loss": 0.01, "seed": 1}


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is not there"):
        run(Options(tmp_path / "none.jsonl"))
