"""Answers as the real servers shape them, kept short."""

from server import MODEL, Answer

CREATED = 1795341600
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def chat(text="Hello!", model=MODEL, finish="stop", usage=None, choices=None, **message) -> Answer:
    """A chat completion."""
    message = {"role": "assistant", "content": text, **message}
    choices = choices or [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]
    return Answer(json={
        "id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": model,
        "choices": choices, "usage": usage or USAGE,
    })


def call(name, arguments, id="call_1"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chat_tools(*calls, **more) -> Answer:
    return chat(None, finish="tool_calls", tool_calls=list(calls), **more)


def chat_stream(*deltas, model=MODEL, usage=False, finish="stop") -> Answer:
    """A stream of chat completion chunks; a delta is a text or an object."""
    def chunk(delta, reason=None):
        return {
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": delta} if isinstance(delta, str) else delta) for delta in deltas]
    events.append(chunk({}, finish))
    if usage:
        events.append({**chunk({}), "choices": [], "usage": USAGE})
    return Answer(sse=[*events, "[DONE]"])


def completion(*texts, model=MODEL, logprobs=None) -> Answer:
    return Answer(json={
        "id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": model,
        "choices": [
            {"index": index, "text": text, "logprobs": logprobs, "finish_reason": "length"}
            for index, text in enumerate(texts)
        ],
        "usage": USAGE,
    })


def completion_stream(*texts, model=MODEL, usage=False) -> Answer:
    def chunk(text, reason=None):
        return {
            "id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": model,
            "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}],
        }
    events = [chunk(text) for text in texts] + [chunk("", "length")]
    if usage:
        events.append({**chunk(""), "choices": [], "usage": USAGE})
    return Answer(sse=[*events, "[DONE]"])


def embeddings(*vectors, model=MODEL) -> Answer:
    return Answer(json={
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)],
        "model": model, "usage": {"prompt_tokens": 4, "total_tokens": 4},
    })


def response_object(model, output=None, status="completed", text="Hello!", **more) -> dict:
    message = {
        "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return {
        "id": "resp_1", "object": "response", "created_at": CREATED, "status": status, "model": model,
        "output": [message] if output is None else output,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": {
            "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 11,
        },
        **more,
    }


def response(model=MODEL, **more) -> Answer:
    return Answer(json=response_object(model, **more))


def response_stream(*texts, model=MODEL) -> Answer:
    """The events of the Responses API, which have names and no `[DONE]`."""
    item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = "".join(texts)
    started = {"id": "resp_1", "object": "response", "status": "in_progress", "model": model, "output": []}
    events = [
        {"type": "response.created", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in texts),
        {"type": "response.output_text.done", **place, "text": whole, "logprobs": []},
        {"type": "response.completed", "response": response_object(model, text=whole)},
    ]
    return Answer(events=[(event["type"], {**event, "sequence_number": number}) for number, event in enumerate(events)])


def anthropic(text="Hello!", model=MODEL, content=None, stop="end_turn", **more) -> Answer:
    """A message."""
    return Answer(json={
        "id": "msg_1", "type": "message", "role": "assistant", "model": model,
        "content": content or [{"type": "text", "text": text}],
        "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 2}, **more,
    })


def anthropic_stream(*deltas, model=MODEL, block=None, stop="end_turn") -> Answer:
    """The events of a message; a delta is a text or an object."""
    start = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    blocks = [{"type": "text_delta", "text": delta} if isinstance(delta, str) else delta for delta in deltas]
    events = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block or {"type": "text", "text": ""}},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in blocks),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    return Answer(events=[(event["type"], event) for event in events])


def error(status, message, code, kind="invalid_request_error", headers=()) -> Answer:
    return Answer(status, list(headers), json={"error": {"message": message, "type": kind, "param": None, "code": code}})
