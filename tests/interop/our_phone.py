"""`ivr phone`: what this project sends where a flow does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def ivr_phone(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ivr.cli", "phone", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def press_keys(uri: str, keys: str, folder: Path, port: int = 0) -> None:
    """Calls from that port, presses the keys (RFC 4733) and hangs up."""
    script = folder / "keys.yaml"
    script.write_text(f"- wait: 500ms\n- press: '{keys}'\n- wait: 300ms\n- hang_up\n", encoding="utf-8")
    done = ivr_phone(uri, "--script", str(script), "--listen", f"udp:127.0.0.1:{port}")
    assert done.returncode == 0, done.stdout + done.stderr
