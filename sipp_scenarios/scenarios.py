"""The scenarios, one function each: what SIPp plays (xml/), what media and record must show afterwards."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Final

from sipp_scenarios.config import PASSWORD, USERNAME, free_port
from sipp_scenarios.media_scenarios import MEDIA
from sipp_scenarios.rtp import Phone, RtpPeer, wait_for
from sipp_scenarios.scenario import Scenario
from sipp_scenarios.stage import HANDOVER, NOTICE, RINGING, Failed, Stage, expect, unread_port, usual
from sipp_scenarios.trunk_scenarios import TRUNKS

PARALLEL_CALLS: Final = 200
CANCEL_ATTEMPTS: Final = 5
SPARE_FILES: Final = 20
"""Files that the server may have opened meanwhile for other reasons (database, API connections)."""


def basic(stage: Stage) -> None:
    """A call is answered, media flows both ways, the caller hangs up."""
    with RtpPeer() as peer:
        stage.call("basic", peer=peer)
        _check_flowing(peer, 1.0)
    stage.check_record("normal", "caller", state="ended")


def tcp(stage: Stage) -> None:
    """The same over TCP."""
    with RtpPeer() as peer:
        stage.call("basic", peer=peer, transport="tcp")
        _check_flowing(peer, 1.0)
    stage.check_record("normal", "caller")


def ended_by_us(stage: Stage) -> None:
    """The flow says a sentence to its end, then the server sends BYE."""
    stage.need_api()
    with RtpPeer() as peer:
        stage.call("ended_by_us", peer=peer, number=NOTICE)
        sound = [packet for packet in peer.heard if packet.sound]
        expect(len(sound) >= 25, f"{len(sound)} packets of speech were heard before the BYE")
    stage.check_record("normal", "us")


def early_media(stage: Stage) -> None:
    """We are called: 183 with SDP, then 200; speech comes only after the 200."""
    stage.need_api()
    port = free_port()
    with RtpPeer() as peer:
        with stage.sipp("called_early_media", peer=peer, port=port):
            began = time.monotonic()
            stage.dial("notice", port)
        first = next((packet.at - began for packet in peer.heard if packet.sound), None)
        expect(first is not None, "no speech was heard")
        expect((first or 0.0) > 1.0, f"speech began {first} s after dialling, before the answer")
    stage.check_record("normal", "us")


def late_offer(stage: Stage) -> None:
    """INVITE without SDP: our offer in the 200, the answer in the ACK."""
    with RtpPeer() as peer:
        stage.call("late_offer", peer=peer)
        _check_flowing(peer, 1.0)
        kinds = {packet.payload_type for packet in peer.heard}
        expect(kinds == {0}, f"payload types {sorted(kinds)} came, PCMU (0) was agreed")
    stage.check_record("normal", "caller")


def hold(stage: Stage) -> None:
    """Hold stops our sending, a refresh with the same o= version keeps it so, taking back starts it again."""
    with RtpPeer() as peer:
        stage.call("hold", peer=peer)
        start, length = peer.longest_gap()
        expect(length > 1.5, f"the longest pause while on hold was {length:.2f} s of 1.8 s")
        expect(peer.count(since=start + length) > 50, "too little media after the hold")
    stage.check_record("normal", "caller")


def cancel(stage: Stage) -> None:
    """CANCEL before the answer: 200 to the CANCEL, 487 to the INVITE."""
    for attempt in range(1, CANCEL_ATTEMPTS + 1):
        try:
            stage.call("cancel")
        except Failed:
            # The answer may cross the CANCEL: only some milliseconds lie between the INVITE and its 200.
            if attempt == CANCEL_ATTEMPTS:
                raise
        else:
            break
    if stage.api is not None:
        causes = [stage.api.ended(record["id"])["cause"] for record in stage.records()]
        expect(set(causes[:1]) <= {"cancelled"}, f"the record says {causes[:1]}")


def called_cancelled(stage: Stage) -> None:
    """We are called and ring; the API takes the call back: CANCEL, 200, 487, ACK."""
    api, port = stage.need_api(), free_port()
    with stage.sipp("called_cancelled", port=port):
        call = stage.dial("notice", port)
        _hang_up_while_ringing(stage, call)
    record = api.ended(call)
    expect(record["answered_at"] is None, "a call taken back counts as answered")
    expect(record["hung_up_by"] == "us", f"the record says that {record['hung_up_by']} hung up")


def called_crossing(stage: Stage) -> None:
    """The API takes a ringing call back, but the answer crosses our CANCEL: ACK, then BYE at once."""
    port = free_port()
    with stage.sipp("called_crossing", port=port):
        _hang_up_while_ringing(stage, stage.dial("notice", port))


def called_resends(stage: Stage) -> None:
    """We call, and our ACK seems lost: the 200 comes again and is acknowledged again."""
    stage.need_api()
    port = free_port()
    with RtpPeer() as peer, stage.sipp("called_resends", "-nr", peer=peer, port=port):
        stage.dial("notice", port)
    stage.check_record("normal", "us")


def called_tcp(stage: Stage) -> None:
    """We call over TCP."""
    stage.need_api()
    port = free_port()
    with RtpPeer() as peer, stage.sipp("called_early_media", peer=peer, port=port, transport="tcp"):
        stage.dial("notice", port, ";transport=tcp")
    stage.check_record("normal", "us")


def vanished(stage: Stage) -> None:
    """The caller sends neither media nor BYE: the server ends the call, and the record says why."""
    stage.need_api()
    stage.call("vanished", limit_s=40)
    stage.check_record("media_timeout", "us")


def refused_reinvite(stage: Stage) -> None:
    """A re-INVITE with nothing in common gets 488, and the call goes on as it was."""
    with RtpPeer() as peer:
        stage.call("refused_reinvite", peer=peer)
        _check_flowing(peer, 1.8)
    stage.check_record("normal", "caller")


def prack(stage: Stage) -> None:
    """We are called with a reliable 183 and 180: each gets its PRACK, and the answer of the 183 holds."""
    stage.need_api()
    port = free_port()
    with RtpPeer() as peer:
        with stage.sipp("called_prack", peer=peer, port=port):
            stage.dial("notice", port)
        expect(any(packet.sound for packet in peer.heard), "no speech was heard")
    stage.check_record("normal", "us")


def ringing_prack(stage: Stage) -> None:
    """A ringing call: our reliable 183 is repeated until its PRACK comes, and is heard before the answer."""
    stage.need_api()
    with RtpPeer() as peer:
        stage.call("ringing_prack", "-nr", peer=peer, number=RINGING)
        expect(any(packet.sound for packet in peer.heard), "no ringing was heard")
    stage.check_record("normal", "us")


def ringing(stage: Stage) -> None:
    """A ringing call of a phone without 100rel: 183 and 200 both have our answer."""
    stage.need_api()
    with RtpPeer() as peer:
        stage.call("ringing", peer=peer, number=RINGING)
    stage.check_record("normal", "us")


def answered_elsewhere(stage: Stage) -> None:
    """A ringing call is taken back since somebody else answered it: that is a normal end."""
    stage.need_api()
    stage.call("answered_elsewhere", number=RINGING)
    stage.check_record("normal", "caller", answered_at=None)


def require_100rel(stage: Stage) -> None:
    """A call that requires reliable provisional responses is taken."""
    with RtpPeer() as peer:
        stage.call("require_100rel", peer=peer)
    stage.check_record("normal", "caller")


def session_timer(stage: Stage) -> None:
    """A session of 60 s gets 422, one of 90 s is agreed on, and the caller refreshes it by UPDATE."""
    with RtpPeer() as peer:
        stage.call("session_timer", peer=peer)


def session_refresh(stage: Stage) -> None:
    """We refresh a session of 90 s at half time: the UPDATE meets 491 and comes again within seconds."""
    with RtpPeer() as peer:
        stage.call("session_refresh", peer=peer, limit_s=70)
    stage.check_record("normal", "caller")


def called_session_timer(stage: Stage) -> None:
    """We are called, and 422 asks for a longer session: the second INVITE has it."""
    stage.need_api()
    port = free_port()
    with RtpPeer() as peer, stage.sipp("called_session_timer", peer=peer, port=port):
        stage.dial("notice", port)
    stage.check_record("normal", "us")


def update(stage: Stage) -> None:
    """UPDATE stops our sending and starts it again; one without SDP changes nothing."""
    with RtpPeer() as peer:
        stage.call("update", peer=peer)
        start, length = peer.longest_gap()
        expect(length > 1.5, f"the longest pause while on hold was {length:.2f} s of 1.8 s")
        expect(peer.count(since=start + length) > 25, "too little media after the hold")
    stage.check_record("normal", "caller")


def glare(stage: Stage) -> None:
    """An offer that comes while ours has no answer gets 491, and the call goes on."""
    with RtpPeer() as peer:
        stage.call("glare", peer=peer)
        _check_flowing(peer, 1.0)
    stage.check_record("normal", "caller")


def forks(stage: Stage) -> None:
    """We are called by two forks at once: one wins, the other's late answer is acknowledged and ended."""
    stage.need_api()
    port = free_port()
    with RtpPeer() as peer, stage.sipp("called_forks", peer=peer, port=port):
        stage.dial("notice", port)
    stage.check_record("normal", "us")


def reason(stage: Stage) -> None:
    """The cause in a BYE (Q.850) stands in the record."""
    with RtpPeer() as peer:
        stage.call("reason", peer=peer)
    stage.check_record("no_capacity", "caller")


def multipart(stage: Stage) -> None:
    """An INVITE with ISUP and SDP in one body is answered by its SDP."""
    with RtpPeer() as peer:
        stage.call("multipart", peer=peer)
        _check_flowing(peer, 1.0)
    stage.check_record("normal", "caller")


def refer_refused(stage: Stage) -> None:
    """A REFER to a target that the trunk does not allow gets 603, and the call goes on."""
    with RtpPeer() as peer:
        stage.call("refer_refused", peer=peer)
        _check_flowing(peer, 1.0)
    stage.check_record("normal", "caller")


def refer_allowed(stage: Stage) -> None:
    """A REFER that is allowed: the target is called, the same call goes on with it, the news are told."""
    api, port = stage.need_api(), free_port()
    with RtpPeer() as peer, RtpPeer() as target:
        with stage.sipp("called_target", peer=target, port=port):
            stage.call("refer_allowed", keys={"target_port": str(port)}, peer=peer)
        _check_flowing(target, 1.0)
    stage.check_record("normal", "caller")
    events = api.call(stage.records()[0]["id"])["events"]
    expect(any(event["kind"] == "replaced" for event in events), "the record does not say who came")


def replaces(stage: Stage) -> None:
    """An INVITE with Replaces takes the call over: 200 to it, BYE to the call it replaces, one record."""
    with RtpPeer() as peer:
        stage.call("replaces", peer=peer)
        expect(peer.count() >= 40, f"{peer.count()} RTP packets came in 1.8 s")
    stage.check_record("normal", "caller")


def transfer(stage: Stage) -> None:
    """The flow hands the caller over: REFER, NOTIFYs until the new call is answered, then BYE."""
    stage.need_api()
    with RtpPeer() as peer:
        stage.call("transferred", peer=peer, number=HANDOVER)
    stage.check_record("normal", "us", result={"told": "someone"})


def unknown_extension(stage: Stage) -> None:
    """A call that requires an extension unknown here gets 420 that names it."""
    stage.call("unknown_extension")


def unknown_dialog(stage: Stage) -> None:
    """A BYE of no call gets 481."""
    stage.call("unknown_dialog")


def lost_ack(stage: Stage) -> None:
    """The ACK is lost: the 200 is sent again until it comes, then the call goes on."""
    with RtpPeer() as peer:
        stage.call("lost_ack", "-nr", peer=peer)
    stage.check_record("normal", "caller")


def no_ack(stage: Stage) -> None:
    """No ACK ever: the server gives up after 64*T1 (32 s) and sends BYE."""
    with RtpPeer() as peer:
        stage.call("no_ack", "-nr", peer=peer, limit_s=60)
    records = stage.records()
    expect(stage.api is None or len(records) == 1, f"{len(records)} call records of one call")


def retransmissions(stage: Stage) -> None:
    """The INVITE comes twice and is one call; the BYE comes twice and is answered twice."""
    with RtpPeer() as peer:
        stage.call("retransmissions", "-nr", peer=peer)
    stage.check_record("normal", "caller")


def busy(stage: Stage) -> None:
    """We call, they are busy: the record says so."""
    stage.need_api()
    port = free_port()
    with stage.sipp("called_busy", port=port):
        stage.dial("notice", port)
    stage.check_record("busy", "callee", answered_at=None)


def challenge(stage: Stage) -> None:
    """We call and are asked for credentials (401): the second INVITE has them."""
    stage.need_api()
    port = free_port()
    known = {"username": USERNAME, "password": PASSWORD}
    with RtpPeer() as peer, stage.sipp("called_challenge", keys=known, peer=peer, port=port):
        stage.dial("notice", port)
    stage.check_record("normal", "us")


def telephone_event(stage: Stage) -> None:
    """Keys sent as RFC 4733 packets during the prompt drive the flow to its result."""
    stage.need_api()
    with RtpPeer() as peer, stage.sipp("ended_by_us", peer=peer):
        expect(peer.wait_for_sound(10), "the prompt was not heard")
        peer.press("480021#")
    stage.check_record("normal", "us", result={"code": "480021"})


def telephone_event_loss(stage: Stage) -> None:
    """Keys as payload type 96, the first packets of each lost, the others doubled: each key counts once."""
    stage.need_api()
    with RtpPeer(Phone(96)) as peer, stage.sipp("ended_by_us", peer=peer, sdp=usual(96)):
        expect(peer.wait_for_sound(10), "the prompt was not heard")
        peer.press("1147#", lost=4, copies=2)
    stage.check_record("normal", "us", result={"code": "1147"})


def record_route(stage: Stage) -> None:
    """A proxy's Record-Route without angle brackets: our BYE takes that route."""
    stage.need_api()
    with RtpPeer() as peer:
        stage.call("record_route", peer=peer, number=NOTICE)
    stage.check_record("normal", "us")


def broken_sdp(stage: Stage) -> None:
    """A body that is no session description is refused with 488."""
    stage.call("broken_sdp")


def unknown_number(stage: Stage) -> None:
    """A number that no flow answers gets 404."""
    stage.call("unknown_number", number="9999")


def malformed(stage: Stage) -> None:
    """A request with a hop count of 7000 gets 400."""
    stage.call("malformed", "-nr")


def options(stage: Stage) -> None:
    """OPTIONS, as a health probe, gets 200."""
    stage.call("options")


def parallel(stage: Stage) -> None:
    """200 calls at the same time, 40 new ones a second; all are answered and end well."""
    count, files = str(PARALLEL_CALLS), stage.open_files()
    # All calls of SIPp name one media port; nobody reads it, what arrives is dropped by the kernel.
    with unread_port() as port:
        load = ("-m", count, "-l", count, "-r", "40")
        stage.call("basic", *load, media_port=port, hold_ms=7000, limit_s=60)
    records = stage.records()
    if stage.api is not None:
        expect(len(records) == PARALLEL_CALLS, f"{len(records)} records of {PARALLEL_CALLS} calls")
        ended = [stage.api.ended(record["id"]) for record in records]
        causes = {record["cause"] for record in ended}
        expect(causes == {"normal"}, f"the causes are {sorted(causes)}")
        expect(
            wait_for(lambda: stage.open_files() <= files + SPARE_FILES, 10),
            f"{stage.open_files()} files and sockets are open after the calls, {files} before",
        )


def _hang_up_while_ringing(stage: Stage, call: str) -> None:
    api, deadline = stage.need_api(), time.monotonic() + 5
    while not any(event["kind"] == "ringing" for event in api.call(call)["events"]):
        if time.monotonic() > deadline:
            raise Failed("the record does not say that it rings")
        time.sleep(0.05)
    api.hang_up(call)


def _check_flowing(peer: RtpPeer, at_least_s: float) -> None:
    """Media came for at least so long, in order. How evenly is for the benchmark."""
    packets = peer.count()
    expect(packets >= at_least_s * 25, f"{packets} RTP packets came in more than {at_least_s} s")
    sequence = [packet.sequence for packet in peer.heard]
    lost = [b for a, b in pairwise(sequence) if (b - a) & 0xFFFF != 1]
    expect(not lost, f"gaps in the RTP sequence before {lost[:5]}")


ALL: Final = (
    Scenario("basic", basic),
    Scenario("tcp", tcp),
    Scenario("ended-by-us", ended_by_us),
    Scenario("early-media", early_media),
    Scenario("late-offer", late_offer),
    Scenario("hold", hold),
    Scenario("cancel", cancel),
    Scenario("called-cancelled", called_cancelled),
    Scenario("vanished", vanished),
    Scenario("called-crossing", called_crossing),
    Scenario("called-resends", called_resends),
    Scenario("called-tcp", called_tcp),
    Scenario("refused-reinvite", refused_reinvite),
    Scenario("prack", prack),
    Scenario("ringing-prack", ringing_prack),
    Scenario("ringing", ringing),
    Scenario("answered-elsewhere", answered_elsewhere),
    Scenario("require-100rel", require_100rel),
    Scenario("session-timer", session_timer),
    Scenario("session-refresh", session_refresh, slow=True),
    Scenario("called-session-timer", called_session_timer),
    Scenario("update", update),
    Scenario("glare", glare),
    Scenario("forks", forks),
    Scenario("reason", reason),
    Scenario("multipart", multipart),
    Scenario("refer-refused", refer_refused),
    Scenario("refer-allowed", refer_allowed),
    Scenario("replaces", replaces),
    Scenario("transfer", transfer),
    Scenario("unknown-extension", unknown_extension),
    Scenario("unknown-dialog", unknown_dialog),
    Scenario("lost-ack", lost_ack),
    Scenario("no-ack", no_ack, slow=True),
    Scenario("retransmissions", retransmissions),
    Scenario("busy", busy),
    Scenario("challenge", challenge),
    Scenario("telephone-event", telephone_event),
    Scenario("telephone-event-loss", telephone_event_loss),
    Scenario("record-route", record_route),
    Scenario("broken-sdp", broken_sdp),
    Scenario("unknown-number", unknown_number),
    Scenario("malformed", malformed),
    Scenario("options", options),
    *MEDIA,
    *TRUNKS,
    Scenario("parallel", parallel, alone=True),
)
