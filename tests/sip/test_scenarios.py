"""The SIPp scenarios against a server of their own, and the parts that judge them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from media.g711 import encode_alaw
from sipp_scenarios.rtp import TELEPHONE_EVENT, RtpPeer, a_law, wait_for
from sipp_scenarios.runner import Outcome, choose, main, own_server, play, play_all
from sipp_scenarios.scenario import Scenario
from sipp_scenarios.scenarios import ALL
from sipp_scenarios.stage import XML, Skipped, Stage, expect


@pytest.mark.interop
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("sipp") is None, reason="needs SIPp (Debian: sip-tester)")
def test_every_scenario_passes(tmp_path: Path) -> None:
    with own_server(tmp_path) as make_stage:
        results = list(play_all(choose([], slow=False), make_stage))
    failures = {
        result.scenario.name: result.detail for result in results if result.outcome is not Outcome.PASSED
    }
    assert failures == {}


def _stage(tmp_path: Path) -> Stage:
    return Stage({"udp": "127.0.0.1:9"}, tmp_path, "2001")


def test_what_goes_wrong_becomes_a_result(tmp_path: Path) -> None:
    def failing(stage: Stage) -> None:
        """Fails."""
        expect(stage.caller == "no one", f"the caller is {stage.caller}")

    def skipping(stage: Stage) -> None:
        """Is skipped."""
        stage.need_api()

    def hanging(stage: Stage) -> None:
        """Raises what an API that does not come raises."""
        raise TimeoutError("still ringing")

    results = [
        play(Scenario("x", scenario), lambda _: _stage(tmp_path)) for scenario in (failing, skipping, hanging)
    ]
    assert [(result.outcome, result.detail) for result in results] == [
        (Outcome.FAILED, "the caller is 2001"),
        (Outcome.SKIPPED, "needs the API of a server of our own"),
        (Outcome.FAILED, "still ringing"),
    ]
    assert results[0].scenario.about == "Fails."


def test_a_target_without_tcp_skips_what_needs_it(tmp_path: Path) -> None:
    if shutil.which("sipp") is None:
        pytest.skip("needs SIPp")
    with pytest.raises(Skipped, match="no TCP"):
        _stage(tmp_path).call("basic", transport="tcp")


def test_scenarios_are_chosen_by_name() -> None:
    assert [scenario.name for scenario in choose(["hold", "basic"], slow=False)] == ["hold", "basic"]
    assert len(choose([], slow=True)) == len(ALL) > len(choose([], slow=False))
    assert all(scenario.about for scenario in ALL)
    assert len({scenario.name for scenario in ALL}) == len(ALL)


def test_an_unknown_name_is_an_error_of_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nonsense"]) == 2
    assert "--list" in capsys.readouterr().out


def test_every_xml_file_is_played_by_some_scenario() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in XML.parent.glob("*scenarios.py"))
    assert [path.stem for path in XML.glob("*.xml") if f'"{path.stem}"' not in source] == []


def test_two_peers_hear_each_others_silence_and_keys() -> None:
    with RtpPeer() as one, RtpPeer() as other:
        one.greet(other.port)
        assert other.wait_for_media(5)
        assert one.wait_for_media(5)
        other.press("4#")
        assert wait_for(lambda: len(_events(one)) == 16, 5)
    assert _events(one)[:8] == [4] * 8
    assert _events(one)[8:] == [11] * 8
    assert one.heard[0].payload_type == 8


def test_the_peer_and_the_server_agree_on_what_a_law_is() -> None:
    samples = range(-32768, 32768, 7)
    ours = encode_alaw(struct.pack(f"<{len(samples)}h", *samples))
    assert bytes(map(a_law, samples)) == ours


def _events(peer: RtpPeer) -> list[int]:
    return [packet.event for packet in peer.heard if packet.payload_type == TELEPHONE_EVENT]
