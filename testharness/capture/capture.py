#!/usr/bin/env python3
"""Runs the official clients against a server of our own and writes what they sent as recordings.

    capture.py [--out FOLDER] [--only TEXT]

See README.md beside this file.
"""

import argparse
import asyncio
import importlib
import inspect
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import recording  # noqa: E402
from clients import Clients  # noqa: E402
from server import Server  # noqa: E402

GROUPS = ["chat", "vllm", "completions", "embeddings", "responses", "other", "claude", "wire"]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=HERE.parent / "recordings")
    parser.add_argument("--only", default="", help="only recordings whose path contains this")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "ANTHROPIC_"))]:
        del os.environ[name]
    for group in GROUPS:
        importlib.import_module(f"calls.{group}")
    # The boundaries of multipart bodies are made of these: a second run then writes what the first one wrote.
    os.urandom = lambda size: bytes(number % 256 for number in range(size))
    chosen = [case for case in cases.ALL if options.only in case.path]
    failed = 0
    server = Server()
    for number, case in enumerate(chosen, 1):
        server.expect(case.answers)
        clients = Clients(server.port)
        try:
            result = case.run(clients)
            if inspect.isawaitable(result):
                asyncio.run(wait(result))
            if len(server.seen) != len(case.answers):
                raise AssertionError(f"{len(server.seen)} requests, {len(case.answers)} answers")
            source = case.source or clients.used
            recording.write(options.out, case.path, case.name, source, server.seen)
            print(f"{number}/{len(chosen)} {case.path}", file=sys.stderr)
        except Exception as error:  # noqa: BLE001
            failed += 1
            print(f"{number}/{len(chosen)} {case.path}: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"{len(chosen) - failed} captured, {failed} failed", file=sys.stderr)
    return 1 if failed else 0


async def wait(result):
    return await result


if __name__ == "__main__":
    sys.exit(main())
