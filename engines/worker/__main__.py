"""`python -m engines.worker ENGINE --socket N --parent PID`: what a supervisor starts."""

from __future__ import annotations

import argparse

from engines.worker.process import serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m engines.worker", description="Runs one speech engine for its parent."
    )
    parser.add_argument("engine")
    parser.add_argument(
        "--socket", type=int, required=True, help="descriptor of the stream socket to the parent"
    )
    parser.add_argument("--parent", type=int, required=True, help="process id of the parent")
    arguments = parser.parse_args()
    serve(arguments.engine, arguments.socket, arguments.parent)


main()
