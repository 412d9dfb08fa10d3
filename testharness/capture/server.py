"""A model server that answers what it is told to and remembers byte for byte what it was sent."""

import json
import socket
import threading
from dataclasses import dataclass, field, replace


# Stands in answers for the model that the request asks for.
MODEL = "<the model of the request>"


@dataclass
class Seen:
    """A request as it was on the wire."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    # Sizes of the chunks that the client sent; empty where it sent a content-length.
    chunks: list[int] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name), None)


@dataclass
class Answer:
    """What the model server says: one of `json`, `sse`, `text` (a whole body with its content-type) or nothing."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    json: object = None
    sse: list[object] | None = None
    text: str | None = None
    # Events that have a name (`event:`) as Anthropic and the Responses API send them: pairs of name and data.
    events: list[tuple[str, object]] | None = None

    def body(self) -> bytes:
        if self.json is not None:
            return compact(self.json).encode()
        if self.sse is not None:
            return "".join(f"data: {data(event)}\n\n" for event in self.sse).encode()
        if self.events is not None:
            return "".join(f"event: {name}\ndata: {data(event)}\n\n" for name, event in self.events).encode()
        return (self.text or "").encode()

    def of_model(self, model: str) -> "Answer":
        """The answer with the name of the model in it."""
        def named(value):
            return value and json.loads(json.dumps(value).replace(json.dumps(MODEL), json.dumps(model)))

        return replace(self, json=named(self.json), sse=named(self.sse), events=named(self.events))

    def content_type(self) -> str | None:
        if any(name.lower() == "content-type" for name, _ in self.headers):
            return None
        if self.json is not None:
            return "application/json"
        if self.sse is not None or self.events is not None:
            return "text/event-stream; charset=utf-8"
        return None


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def data(event: object) -> str:
    return event if isinstance(event, str) else compact(event)


class Server:
    """Listens on a free port of 127.0.0.1. Answers in turn; the last answer again and again."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answers: list[Answer] = []
        # What came, and what it was answered.
        self.seen: list[tuple[Seen, Answer]] = []
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def expect(self, answers: list[Answer]) -> None:
        with self.lock:
            self.answers, self.seen = list(answers), []

    def _accept(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        try:
            while (seen := read(stream, connection)) is not None:
                with self.lock:
                    answer = self.answers[min(len(self.seen), len(self.answers) - 1)].of_model(model_of(seen))
                    self.seen.append((seen, answer))
                connection.sendall(response(answer))
        except OSError:
            pass
        finally:
            connection.close()


def model_of(seen: Seen) -> str:
    try:
        return json.loads(seen.body)["model"]
    except (ValueError, KeyError, TypeError):
        return "default-model"


def read(stream, connection: socket.socket) -> Seen | None:
    line = stream.readline().decode("latin-1").rstrip("\r\n")
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    headers = []
    while text := stream.readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = text.partition(":")
        headers.append((name, value.strip()))
    seen = Seen(method, path, headers, b"")
    if (seen.header("expect") or "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if (seen.header("transfer-encoding") or "").lower() == "chunked":
        while size := int(stream.readline().split(b";")[0], 16):
            seen.body += stream.read(size)
            seen.chunks.append(size)
            stream.readline()
        while stream.readline().strip():
            pass
    else:
        seen.body = stream.read(int(seen.header("content-length") or 0))
    return seen


def response(answer: Answer) -> bytes:
    headers = list(answer.headers)
    if content_type := answer.content_type():
        headers.insert(0, ("content-type", content_type))
    body = answer.body()
    headers.append(("content-length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {answer.status} Answer\r\n{head}\r\n".encode() + body
