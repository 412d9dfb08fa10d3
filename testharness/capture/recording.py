"""Writes what was seen as a recording that a person can read."""

import json
import re
from pathlib import Path

from server import Answer, Seen, compact

# `configs/multi-pool.yaml`, and where its base models are served.
CONFIG = "../configs/multi-pool.yaml"
POOLS = {"meta-llama/Llama-3.1-8B-Instruct": "llama-pool", "Qwen/Qwen2.5-1.5B-Instruct": "qwen-pool"}
BASES = {
    "meta-llama/Llama-3.1-8B-Instruct": ["food-review-1", "cad-fabricator"],
    "Qwen/Qwen2.5-1.5B-Instruct": ["qwen-summarizer", "sql-lora"],
}
BASE_OF = {name: base for base, adapters in BASES.items() for name in [base, *adapters]}

# The connection's own; the replay makes them anew.
LEFT_OUT = {"host", "connection", "content-length", "keep-alive"}
SECRET = {"authorization", "x-api-key", "api-key", "cookie", "proxy-authorization"}
# A body longer than this stands in a file of its own.
LONG = 6_000


# What YAML takes as it is, less what a reader cannot see: marks of direction, the BOM, line separators.
HIDDEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200c\\u200e-\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ufffe\\uffff]")
TYPED = re.compile(r"(?i)true|false|null|yes|no|on|off|~|[-+]?[.]?\d[\dxoe_]*[.]?\d*(e[-+]?\d+)?|\d+(:\d+)+|\d{4}-\d\d?-\d\d?.*")


def scalar(text: str, inside_brackets: bool = False) -> str:
    """A text as a YAML scalar on one line."""
    if HIDDEN.search(text):
        # JSON leaves some of what is hidden as it is.
        return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
    special = r"[,\[\]{}\"']" if inside_brackets else r"[\"']"
    plain = re.match(r"[\w/.<+(]", text) and not re.search(r": |:$| #|\s$|" + special, text)
    if plain and not TYPED.fullmatch(text):
        return text
    return "'" + text.replace("'", "''") + "'" if '"' in text else f'"{text}"' if "\\" not in text else json.dumps(text)


def field(name: str, text: str, indent: int) -> list[str]:
    """`name: text` at an indent: a block, which keeps every byte, where that reads better than a line."""
    pad = " " * indent
    lines = text.split("\n")
    trailing = len(text) - len(text.rstrip("\n"))
    blocky = len(text) > 100 or len(lines) > 1 or "'" in text
    if not blocky or trailing > 1 or any(HIDDEN.search(line) for line in lines) or lines[0][:1] in ("", " "):
        return [f"{pad}{name}: {scalar(text)}"]
    chomp = "|" if trailing else "|-"
    return [f"{pad}{name}: {chomp}", *(f"{pad}  {line}" if line else "" for line in lines[: len(lines) - trailing])]


def flow(value: object) -> str:
    """A JSON value as YAML flow, which JSON is."""
    return json.dumps(value, ensure_ascii=False)


def request(seen: Seen, bodies: Path, stem: str) -> list[str]:
    lines = ["- request:"]
    if seen.method != "POST":
        lines.append(f"    method: {seen.method}")
    lines.append(f"    path: {scalar(seen.path)}")
    headers = [(name, value) for name, value in seen.headers if name.lower() not in LEFT_OUT]
    if headers:
        lines.append("    headers:")
    for name, value in headers:
        if name.lower() in SECRET:
            value = "<redacted>"
        lines.append(f"    - [{name}, {scalar(value, inside_brackets=True)}]")
    if seen.body:
        lines += body(seen.body, bodies, stem)
    if len(seen.chunks) > 1:
        lines.append(f"    chunks: {seen.chunks[:-1]}")
    return lines


def body(content: bytes, bodies: Path, stem: str) -> list[str]:
    import base64

    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    if len(content) > LONG:
        suffix = "json" if content[:1] == b"{" else "bin"
        file = bodies / f"{stem}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return [f"    bodyFile: ../bodies/{file.name}"]
    if text is None:
        return [f"    bodyBase64: {base64.b64encode(content).decode()}"]
    return field("body", text, 4)


def upstream(answer: Answer) -> list[str]:
    lines = ["  upstream:"]
    if answer.status != 200:
        lines.append(f"    status: {answer.status}")
    headers = list(answer.headers)
    if answer.content_type() and answer.json is None:
        headers.insert(0, ("content-type", answer.content_type()))
    if headers:
        lines.append("    headers:")
        lines += [f"    - [{name}, {scalar(value, inside_brackets=True)}]" for name, value in headers]
    if answer.json is not None:
        lines.append("    json:")
        members = answer.json.items()
        lines += [f"      {name}: {flow(value)}" for name, value in members]
    elif answer.sse is not None:
        lines.append("    sse:")
        lines += [f"    - data: {flow(event)}" for event in answer.sse]
    elif answer.events is not None or answer.text:
        lines += field("body", answer.body().decode(), 4)
    else:
        lines.append("    body: ''")
    return lines


def expectation(seen: Seen, answer: Answer) -> list[str]:
    """What the filter has to do, as the body's `model` says."""
    routed, absent, cluster, count = {}, ["x-gateway-model-name", "x-gateway-base-model-name"], "default", "passed"
    content_type = (seen.header("content-type") or "application/json").split(";")[0].lower()
    if seen.method in ("POST", "PUT", "PATCH") and seen.body and content_type == "application/json":
        count = "processed"
        model = json.loads(seen.body).get("model")
        if isinstance(model, str):
            base = BASE_OF.get(model, "")
            routed, absent = {"x-gateway-model-name": model, "x-gateway-base-model-name": base}, []
            cluster = POOLS.get(base, "default")
    lines = ["  expect:", "    outcome: forwarded", f"    cluster: {cluster}", "    request:"]
    if routed:
        lines.append("      headers:")
        lines += [f"        {name}: {scalar(value)}" for name, value in routed.items()]
    if absent:
        lines.append(f"      absent: [{', '.join(absent)}]")
    lines.append("      bodyUnchanged: true")
    lines.append(f"    response: {{status: {answer.status}, bodyUnchanged: true}}")
    return lines, count


def write(root: Path, path: str, name: str, source: str, exchanges: list[tuple[Seen, Answer]]) -> None:
    lines = [f"# Captured from {source}.", f"name: {scalar(name)}", f"config: {CONFIG}"]
    clusters = ", ".join(POOLS.values())
    routes = ", ".join(f"{base}: {pool}" for base, pool in POOLS.items())
    lines += [f"clusters: [{clusters}]", f"routes: {{{routes}}}", "exchanges:"]
    counts: dict[str, int] = {}
    for number, (seen, answer) in enumerate(exchanges, 1):
        stem = path.split("/")[-1] + (f"-{number}" if len(exchanges) > 1 else "")
        expected, count = expectation(seen, answer)
        counts[count] = counts.get(count, 0) + 1
        lines += request(seen, root / "bodies", stem) + upstream(answer) + expected
        lines.append(f"  metrics: {{'ipp_requests_total{{outcome=\"{count}\"}}': {counts[count]}}}")
    file = root / f"{path}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
