"""A phone of PJSIP: see `phone_process`. Everything runs in the main thread, as pjsua2 likes it best in
Python.

Its second argument is the codec, the others are PEM files (authority, certificate, key): with them it speaks
TLS, and SRTP with the keys in the SDP.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

import pjsua2 as pj

FOLDER, CODEC, SECURITY = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
TICK_MS = 10
LOUD = 15
"""PJSIP's level, of 0 to 255, of what comes from the far end (it says Tx to that): only sound reaches it."""


def tell(event: str, **values: Any) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


class Call(pj.Call):
    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            tell("ringing")
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            tell("established")
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            tell("closed", status=info.lastStatusCode)
            self.phone.over = True

    def onCallMediaState(self, prm: Any) -> None:
        self.phone.audio = None  # on hold there is none
        info = self.getInfo()  # must outlive the loop: the list of media is only borrowed from it
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                audio.startTransmit(self.phone.endpoint.audDevManager().getPlaybackDevMedia())
                self.phone.audio = audio
                self.phone.player.startTransmit(audio)

    def onCallTransferRequest(self, prm: Any) -> None:
        self.phone.next = prm.newCall = Call(self.phone)

    def onCallTransferStatus(self, prm: Any) -> None:
        tell("transfer", status=prm.statusCode)

    def onDtmfDigit(self, prm: Any) -> None:
        tell("digit", key=prm.digit)


class Account(pj.Account):
    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone

    def onIncomingCall(self, prm: Any) -> None:
        self.phone.call = Call(self.phone, prm.callId)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        self.phone.call.answer(answer)


class Phone:
    def __init__(self) -> None:
        self.over = False
        self.call: Call | None = None
        self.next: Call | None = None
        """To where a transfer leads."""
        self.audio: pj.AudioMedia | None = None
        self.heard_s = 0.0
        self.looked_at = time.monotonic()
        self.endpoint = endpoint = pj.Endpoint()
        endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.logConfig.level = 3
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = str(FOLDER / "pjsip.log")
        config.medConfig.noVad = True
        rate = 16000 if CODEC == "G722" else 8000
        config.medConfig.clockRate = config.medConfig.sndClockRate = rate
        endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.boundAddress = transport.publicAddress = "127.0.0.1"
        transport.port = 0
        if SECURITY:
            tls = transport.tlsConfig
            tls.CaListFile, tls.certFile, tls.privKeyFile = SECURITY
            tls.verifyServer = True
        kind = pj.PJSIP_TRANSPORT_TLS if SECURITY else pj.PJSIP_TRANSPORT_UDP
        number = endpoint.transportCreate(kind, transport)
        endpoint.libStart()
        endpoint.audDevManager().setNullDev()
        for codec in endpoint.codecEnum2():
            endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith(CODEC) else 0)
        account = pj.AccountConfig()
        account.idUri = "sip:pjsua2@127.0.0.1"
        account.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        account.mediaConfig.transportConfig.port = 0
        if SECURITY:
            account.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
            account.mediaConfig.srtpSecureSignaling = 1
        self.account = Account(self)
        self.account.create(account)
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(str(FOLDER / "tone.wav"))
        way = ";transport=tls" if SECURITY else ""
        tell("ready", uri=f"sip:pjsua2@{endpoint.transportGetInfo(number).localName}{way}")

    def run(self) -> None:
        """Until the standard input is closed."""
        while True:
            self.endpoint.libHandleEvents(TICK_MS)
            self.listen()
            if select.select([sys.stdin], [], [], 0)[0]:
                line = sys.stdin.readline()
                if not line:
                    return
                self.do(json.loads(line))

    def listen(self) -> None:
        """Looks at the level of what comes in, every 20 ms."""
        now = time.monotonic()
        past, loud = now - self.looked_at, False
        if past < 0.02:
            return
        self.looked_at = now
        if self.audio is not None and not self.over:
            loud = self.audio.getTxLevel() > LOUD
        if loud:
            self.heard_s += past
            tell("heard", seconds=self.heard_s)

    def do(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "call":
                self.call = Call(self)
                self.call.makeCall(command["uri"], pj.CallOpParam(True))
            case "press":
                assert self.call is not None
                self.call.dialDtmf(command["keys"])
            case "hold":
                assert self.call is not None
                self.call.setHold(pj.CallOpParam())
            case "resume":
                assert self.call is not None
                again = pj.CallOpParam(True)
                again.opt.flag = pj.PJSUA_CALL_UNHOLD
                self.call.reinvite(again)
            case "transfer":
                assert self.call is not None
                self.call.xfer(command["uri"], pj.CallOpParam(True))
            case "hang_up":
                assert self.call is not None
                self.call.hangup(pj.CallOpParam())


if __name__ == "__main__":
    Phone().run()
    os._exit(0)  # its own clean-up takes a second, and aborts when Python destroys objects in another order
