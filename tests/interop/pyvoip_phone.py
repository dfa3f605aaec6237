"""A phone of pyVoIP 1.6: see `phone_process`. It cannot send keys, and knows no registrar here."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone

FRAME = 160
SILENCE = 128
"""pyVoIP's audio is unsigned, 8 bit."""
LOUD = 4


def tell(event: str, **values: Any) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def follow(call: VoIPCall) -> None:
    """Listens until the call is over."""
    heard = 0
    while call.state in (CallState.DIALING, CallState.RINGING):
        time.sleep(0.02)
    if call.state is CallState.ANSWERED:
        tell("established")
    while call.state is CallState.ANSWERED:
        if max(abs(sample - SILENCE) for sample in call.read_audio(FRAME, blocking=False)) > LOUD:
            heard += 1
            tell("heard", seconds=heard * 0.02)
        if key := call.get_dtmf():
            tell("digit", key=key)
        time.sleep(0.02)
    tell("closed")


def answer(call: VoIPCall) -> None:
    call.answer()
    follow(call)


def main() -> None:
    server, port, own = sys.stdin.readline().split()
    phone = VoIPPhone(
        server,
        int(port),
        "pyvoip",
        "",
        myIP="127.0.0.1",
        sipPort=int(own),
        rtpPortLow=int(own) + 2,
        rtpPortHigh=int(own) + 40,
        callCallback=answer,
    )
    phone.sip.register = lambda: True  # there is no registrar
    phone.start()
    time.sleep(1.2)  # its receiving thread starts a second later
    tell("ready", uri=f"sip:pyvoip@127.0.0.1:{own}")
    call: VoIPCall | None = None
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "call":
            call = phone.call(command["number"])
            threading.Thread(target=follow, args=(call,), daemon=True).start()
        elif command["do"] == "hang_up" and call is not None:
            call.hangup()


if __name__ == "__main__":
    main()
    os._exit(0)  # its threads do not end by themselves
