"""Anthropic's Messages API, which vLLM and others serve too."""

import contextlib

import anthropic
import answers
from answers import Answer
from calls.chat import PIXEL
from cases import CAD, LLAMA, QWEN, SQL, case, user
from pydantic import BaseModel
from server import MODEL

CLAUDE = "claude-sonnet-4-5"
TOOL = {
    "name": "get_weather", "description": "The weather at a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
USE = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"place": "Oslo"}}


def message(c, content="Hello", model=LLAMA, max_tokens=256, **more):
    return c.anthropic.messages.create(model=model, max_tokens=max_tokens, messages=user(content), **more)


@case("anthropic/plain", "a message", answers.anthropic())
def _(c):
    message(c)


@case("anthropic/unknown-model", "a message to a model that no mapping has", answers.anthropic())
def _(c):
    message(c, model=CLAUDE)


@case("anthropic/adapter", "a message to an adapter", answers.anthropic())
def _(c):
    message(c, model=SQL)


@case("anthropic/system", "a system prompt as a text", answers.anthropic())
def _(c):
    sampling = {"temperature": 0.5, "top_k": 5, "top_p": 0.9}
    message(c, system="Be brief.", stop_sequences=["END"], extra_body=sampling)


@case("anthropic/system-blocks-with-cache-control", "a system prompt in blocks that are cached", answers.anthropic())
def _(c):
    system = [
        {"type": "text", "text": "You read contracts."},
        {"type": "text", "text": "The contract: ...", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    message(c, system=system)


@case(
    "anthropic/tool-round-trip", "a tool use, and the request that brings its result",
    answers.anthropic(content=[{"type": "text", "text": "I look."}, USE], stop="tool_use"), answers.anthropic("4 degrees."),
)
def _(c):
    first = message(c, "Weather in Oslo?", tools=[TOOL])
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4 degrees"}
    messages = [*user("Weather in Oslo?"), {"role": "assistant", "content": first.content}, *user([result])]
    c.anthropic.messages.create(model=LLAMA, max_tokens=256, messages=messages, tools=[TOOL])


@case("anthropic/tool-choice", "tool_choice that names a tool, one at a time", answers.anthropic(content=[USE], stop="tool_use"))
def _(c):
    choice = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    message(c, tools=[{**TOOL, "cache_control": {"type": "ephemeral"}}], tool_choice=choice)


@case("anthropic/parallel-tool-results", "two results at once, one of them an error", answers.anthropic())
def _(c):
    uses = [USE, {**USE, "id": "toolu_2", "input": {"place": "Rome"}}]
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "4"}]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no station", "is_error": True},
    ]
    messages = [*user("Oslo and Rome?"), {"role": "assistant", "content": uses}, *user(results)]
    c.anthropic.messages.create(model=QWEN, max_tokens=256, messages=messages, tools=[TOOL])


@case("anthropic/server-tools", "a message with tools that the server has itself", answers.anthropic())
def _(c):
    message(c, tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}], tool_choice={"type": "auto"})


@case("anthropic/image-base64", "a message with an image", answers.anthropic("A pixel."))
def _(c):
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    message(c, [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}], QWEN)


@case("anthropic/image-url", "a message with an image by its address", answers.anthropic("A cat."))
def _(c):
    message(c, [{"type": "image", "source": {"type": "url", "url": "https://example.com/cat.jpg"}}])


@case("anthropic/document", "a message with a document and citations", answers.anthropic("It is empty."))
def _(c):
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}
    document = {"type": "document", "source": source, "title": "Report", "citations": {"enabled": True}}
    message(c, [document, {"type": "text", "text": "What is in it?"}], CAD)


THOUGHT = {"type": "thinking", "thinking": "Six times seven.", "signature": "c2ln"}


@case(
    "anthropic/thinking", "thinking, and the next turn that brings it back",
    answers.anthropic(content=[THOUGHT, {"type": "text", "text": "42"}]), answers.anthropic("43"),
)
def _(c):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    first = message(c, "6 * 7?", max_tokens=2048, thinking=thinking)
    messages = [*user("6 * 7?"), {"role": "assistant", "content": first.content}, *user("Plus one?")]
    c.anthropic.messages.create(model=LLAMA, max_tokens=2048, messages=messages, thinking=thinking)


@case("anthropic/assistant-prefill", "a message that begins the answer", answers.anthropic("}"))
def _(c):
    messages = [*user("JSON please"), {"role": "assistant", "content": "{\"model\":"}]
    c.anthropic.messages.create(model=LLAMA, max_tokens=16, messages=messages)


@case("anthropic/metadata", "a message with metadata and service_tier", answers.anthropic())
def _(c):
    message(c, metadata={"user_id": "u-1"}, service_tier="auto")


class Person(BaseModel):
    name: str
    age: int


@case("anthropic/parse", "a message whose answer is a pydantic class", answers.anthropic('{"name":"Jo","age":3}'))
def _(c):
    c.anthropic.messages.parse(model=LLAMA, max_tokens=64, messages=user("Who?"), output_format=Person)


@case("anthropic/stream", "a streamed message, its events named", answers.anthropic_stream("Hel", "lo!"))
def _(c):
    for _ in message(c, stream=True):
        pass


@case("anthropic/stream-helper", "a message of the client's own stream helper", answers.anthropic_stream("Hel", "lo!"))
def _(c):
    with c.anthropic.messages.stream(model=QWEN, max_tokens=64, messages=user("Hello")) as stream:
        stream.get_final_message()


@case(
    "anthropic/stream-tool-use", "a tool use whose input is streamed in pieces",
    answers.anthropic_stream(
        {"type": "input_json_delta", "partial_json": '{"pla'}, {"type": "input_json_delta", "partial_json": 'ce":"Oslo"}'},
        block={"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}, stop="tool_use",
    ),
)
def _(c):
    for _ in message(c, "Weather?", tools=[TOOL], stream=True):
        pass


@case(
    "anthropic/stream-thinking", "a streamed message with thinking",
    answers.anthropic_stream(
        {"type": "thinking_delta", "thinking": "Six times"}, {"type": "signature_delta", "signature": "c2ln"},
        block={"type": "thinking", "thinking": "", "signature": ""},
    ),
)
def _(c):
    for _ in message(c, "6 * 7?", max_tokens=2048, thinking={"type": "enabled", "budget_tokens": 1024}, stream=True):
        pass


@case("anthropic/count-tokens", "the tokens of a message are counted", Answer(json={"input_tokens": 14}))
def _(c):
    c.anthropic.messages.count_tokens(model=LLAMA, system="Be brief.", messages=user("Hello"), tools=[TOOL])


BATCH = {
    "id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress", "created_at": "2026-11-22T10:00:00Z",
    "expires_at": "2026-11-23T10:00:00Z", "request_counts": {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
}


@case("anthropic/batch", "a batch has its models one level down: no routing header", Answer(json=BATCH))
def _(c):
    params = {"model": LLAMA, "max_tokens": 16, "messages": user("Hello")}
    c.anthropic.messages.batches.create(requests=[{"custom_id": "1", "params": params}, {"custom_id": "2", "params": params}])


@case("anthropic/models", "the models are listed: no body", Answer(json={"data": [{"id": CLAUDE, "type": "model", "display_name": "C", "created_at": "2026-01-01T00:00:00Z"}], "has_more": False, "first_id": None, "last_id": None}))
def _(c):
    c.anthropic.models.list(limit=5)


@case("anthropic/beta", "beta features by a header and a query, with a remote MCP server", answers.anthropic())
def _(c):
    c.anthropic.beta.messages.create(
        model=LLAMA, max_tokens=64, messages=user("Hello"), betas=["mcp-client-2025-11-20"],
        mcp_servers=[{"type": "url", "url": "https://mcp.example.com", "name": "docs", "authorization_token": "<redacted>"}],
        tools=[{"type": "mcp_toolset", "mcp_server_name": "docs"}],
    )


@case("anthropic/files", "a file for messages is uploaded: multipart", Answer(json={"id": "file_1", "type": "file", "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 3, "created_at": "2026-11-22T10:00:00Z", "downloadable": False}))
def _(c):
    c.anthropic.beta.files.upload(file=("a.txt", b"abc", "text/plain"))


@case(
    "anthropic/overloaded", "an error of the model server in Anthropic's shape reaches the client as it is",
    Answer(529, json={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
)
def _(c):
    with contextlib.suppress(anthropic.APIStatusError):
        c.anthropic.with_options(max_retries=0).messages.create(model=LLAMA, max_tokens=16, messages=user("Hello"))


@case(
    "anthropic/stream-error", "an error in the midst of a stream",
    Answer(events=[
        ("message_start", {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}}),
        ("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ]),
)
def _(c):
    with contextlib.suppress(anthropic.APIStatusError):
        for _ in message(c, stream=True):
            pass


@case("anthropic/async", "a message of the asynchronous client", answers.anthropic())
async def _(c):
    await c.anthropic_async.messages.create(model=CAD, max_tokens=64, messages=user("Hello"))
