"""Kamailio between phones and the server: it record-routes, and asks by OPTIONS whether the server lives."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.interop import needs
from tests.interop.security import Identity
from tests.interop.watching import eventually

_CONFIG = """\
debug=2
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
rev_dns=no
use_dns_cache=no
enable_tls=yes
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
listen=tls:127.0.0.1:{tls_port}

loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "dispatcher.so"
loadmodule "tls.so"

modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "private_key", "{key}")
modparam("tls", "ca_list", "{ca}")
modparam("dispatcher", "list_file", "{dispatchers}")
modparam("dispatcher", "ds_ping_interval", 1)
modparam("dispatcher", "ds_probing_mode", 1)
modparam("dispatcher", "ds_ping_from", "sip:kamailio@127.0.0.1")

request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        xlog("L_NOTICE", "within: $rm from $sp\\n");
        if (loose_route() || t_check_trans()) t_relay();
        else if (!is_method("ACK")) sl_send_reply("404", "Not Here");
        exit;
    }}
    t_check_trans();
    if (is_method("OPTIONS") && $rU == $null) {{
        sl_send_reply("200", "Alive");
        exit;
    }}
    remove_hf("Route");
    record_route();
    if ($rp == {port}) {{
        # Numbers that begin with 7 go to the server by TCP.
        if ($rU =~ "^7") $ru = "sip:" + $rU + "@127.0.0.1:{server};transport=tcp";
        else if (!ds_select_domain("1", "4")) {{
            send_reply("503", "Nobody There");
            exit;
        }}
    }}
    t_relay();
}}

event_route[dispatcher:dst-up] {{
    xlog("L_NOTICE", "the server is up\\n");
}}
event_route[dispatcher:dst-down] {{
    xlog("L_NOTICE", "the server is down\\n");
}}
"""
_PROBED_FIRST = 1 + 8
"""The dispatcher's flags of a target that gets no call before it has answered."""


@dataclass(frozen=True, slots=True)
class Kamailio:
    """A running Kamailio, by UDP and TCP at `port`, by TLS at `tls_port`."""

    port: int
    tls_port: int
    process: subprocess.Popen[bytes]
    log_path: Path

    def uri(self, number: str) -> str:
        return f"sip:{number}@127.0.0.1:{self.port}"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        eventually(lambda: text in self.log() or None, f"{text!r} of Kamailio:\n{self.log()[-3000:]}")


@contextlib.contextmanager
def kamailio(folder: Path, port: int, tls_port: int, server: int, identity: Identity) -> Iterator[Kamailio]:
    """Runs Kamailio in front of the server that listens at `server`."""
    program = needs.command("kamailio", "kamailio")
    folder.mkdir(parents=True)
    dispatchers, config, log = folder / "dispatchers", folder / "kamailio.cfg", folder / "kamailio.log"
    dispatchers.write_text(f"1 sip:127.0.0.1:{server} {_PROBED_FIRST} 0\n")
    config.write_text(
        _CONFIG.format(
            port=port,
            tls_port=tls_port,
            server=server,
            dispatchers=dispatchers,
            certificate=identity.certificate,
            key=identity.key,
            ca=identity.ca,
        )
    )
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-DD", "-E", "-f", str(config), "-m", "32", "-M", "4", "-Y", str(folder)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield Kamailio(port, tls_port, process, log)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends it with its children, which are a process group of their own."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
