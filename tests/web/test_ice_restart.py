"""Chromium changes its way to the server in the midst of a call (ICE restart)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.web.browser import chromium
from tests.web.browser_server import web_bench

CALL: Final = """async (token) => {
  const ask = async (method, path, bearer, body) => {
    const answer = await fetch(path, {method, body: JSON.stringify(body),
      headers: {Authorization: `Bearer ${bearer}`, "Content-Type": "application/json"}});
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const pc = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({audio: true});
  pc.addTrack(stream.getAudioTracks()[0], stream);
  const channel = pc.createDataChannel("ivr");
  const opened = new Promise((resolve) => { channel.onopen = resolve; });
  const ended = new Promise((resolve) => { channel.onmessage = ({data}) => {
    const told = JSON.parse(data);
    if (told.type === "ended") resolve(told);
  }; });
  const way = () => {
    const pair = pc.getSenders()[0].transport.iceTransport.getSelectedCandidatePair();
    return pair && `${pair.remote.usernameFragment} ${pair.remote.port}`;
  };
  const until = async (holds) => { while (!holds()) await new Promise((go) => setTimeout(go, 20)); };
  await pc.setLocalDescription();
  const offer = () => ({type: "offer", sdp: pc.localDescription.sdp});
  const begun = await ask("POST", "/api/voice/stream/start", token, offer());
  await pc.setRemoteDescription({type: "answer", sdp: begun.sdp});
  await opened;
  const before = way();
  const path = `/api/voice/stream/${begun.session_id}`;
  pc.restartIce();
  await pc.setLocalDescription();
  const {type, sdp} = await ask("PATCH", path, begun.secret, offer());
  await pc.setRemoteDescription({type, sdp});
  await until(() => way() && way() !== before);
  channel.send(JSON.stringify({type: "key", key: "2"}));
  const {result} = await ended;
  return {call_id: begun.call_id, before, after: way(), result, answer: sdp};
}"""


async def test_chromium_finds_another_way_and_the_call_goes_on(tmp_path: Path) -> None:
    web = {"ice": {"addresses": []}}  # Chromium has no candidate on loopback
    async with web_bench(tmp_path, web) as b, chromium() as browser:
        page = await browser.new_page()
        page.set_default_timeout(30_000)
        await page.goto(f"{b.server.api}/health/live")
        seen = await page.evaluate(CALL, await b.token())
        assert seen["result"] == {"choice": "two"}
        assert seen["before"] != seen["after"]
        assert (await b.ended(seen["call_id"]))["cause"] == "normal"
        assert (await b.api.get("/metrics")).text.count("ivr_web_renewed_total 1.0") == 1
