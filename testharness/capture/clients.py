"""The clients, made when they are asked for; what was asked for is remembered for the recording's first line."""

import json
import os
import subprocess
import sys
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import anthropic as anthropic_package
import openai as openai_package

HERE = Path(__file__).resolve().parent
KEY = "not-a-key"


class Clients:
    def __init__(self, port: int) -> None:
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.used = "?"

    def _use(self, package: str, what: str) -> None:
        self.used = f"{package} {version(package)} ({what})"

    @property
    def _openai(self) -> dict:
        return {"base_url": f"{self.root}/v1", "api_key": KEY}

    @cached_property
    def openai(self) -> openai_package.OpenAI:
        self._use("openai", "Python")
        return openai_package.OpenAI(**self._openai)

    @cached_property
    def openai_async(self) -> openai_package.AsyncOpenAI:
        self._use("openai", "Python, async")
        return openai_package.AsyncOpenAI(**self._openai)

    def openai_with(self, what: str, **more) -> openai_package.OpenAI:
        self._use("openai", f"Python, {what}")
        return openai_package.OpenAI(**self._openai, **more)

    def openai_aiohttp(self) -> openai_package.AsyncOpenAI:
        self._use("openai", f"Python, async, aiohttp {version('aiohttp')}")
        return openai_package.AsyncOpenAI(**self._openai, http_client=openai_package.DefaultAioHttpClient())

    def azure(self, **more) -> openai_package.AzureOpenAI:
        self._use("openai", "Python, Azure")
        return openai_package.AzureOpenAI(azure_endpoint=self.root, api_key=KEY, api_version="2024-10-21", **more)

    @property
    def _anthropic(self) -> dict:
        return {"base_url": self.root, "api_key": KEY}

    @cached_property
    def anthropic(self) -> anthropic_package.Anthropic:
        self._use("anthropic", "Python")
        return anthropic_package.Anthropic(**self._anthropic)

    @cached_property
    def anthropic_async(self) -> anthropic_package.AsyncAnthropic:
        self._use("anthropic", "Python, async")
        return anthropic_package.AsyncAnthropic(**self._anthropic)

    def node(self, package: str, call: str) -> None:
        """Runs one of the calls of node/calls.mjs."""
        folder = Path(os.environ.get("CAPTURE_NODE", HERE / "node"))
        known = json.loads((folder / "package-lock.json").read_text())["packages"]
        installed = known.get(f"node_modules/{package}", {}).get("version", "")
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        self.used = f"{package} {installed} (Node.js {node})" if installed else f"Node.js {node} ({package})"
        script = folder / "calls.mjs"
        if not script.exists():
            script.write_bytes((HERE / "node/calls.mjs").read_bytes())
        subprocess.run(["node", script, self.root, call], check=True, stderr=sys.stderr)

    def curl(self, *arguments: str, path: str = "/v1/chat/completions", stdin: bytes | None = None) -> None:
        text = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
        self.used = " ".join(text.split()[:2])
        command = ["curl", "-sS", "-o", "/dev/null", f"{self.root}{path}", *arguments]
        subprocess.run(command, input=stdin, check=True)
