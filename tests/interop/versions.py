"""The versions of the peers, as the peers themselves tell them."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata

from tests.interop import needs


def of_all() -> dict[str, str]:
    return {
        "baresip": f"baresip {_said('baresip', 'baresip-core', '-h')} of Debian",
        "ivr phone": "The phone of this project, as an author of flows uses it.",
        "Kamailio": f"Kamailio {_said('kamailio', 'kamailio', '-v')} of Debian, record-routing, between the "
        "server and a phone",
        "linphone": f"linphonec {_said('linphonec', 'linphone-cli', '-v')} of Debian",
        "pjsua2": f"PJSIP {metadata.version('pjsua2-python')}, the wheel",
        "pyVoIP": f"pyVoIP {metadata.version('pyVoIP')}",
    }


def _said(program: str, package: str, option: str) -> str:
    path = needs.command(program, package)
    said = subprocess.run([path, option], capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", said.stdout + said.stderr)
    assert found, said
    return found[0]
