"""The Responses API."""

import answers
from answers import Answer
from calls.chat import PIXEL, Solution
from cases import CAD, LLAMA, QWEN, case

OSS = "openai/gpt-oss-120b"
FUNCTION = {
    "type": "function", "name": "get_weather", "description": "The weather at a place", "strict": True,
    "parameters": {
        "type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"],
        "additionalProperties": False,
    },
}


def respond(c, text="Hello", model=LLAMA, **more):
    return c.openai.responses.create(model=model, input=text, **more)


@case("openai-responses/string", "a response to a text", answers.response())
def _(c):
    respond(c)


@case("openai-responses/items", "a response to items with instructions", answers.response())
def _(c):
    items = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hi!", "annotations": []}], "type": "message", "id": "msg_0", "status": "completed"},
        {"role": "user", "content": "And?"},
    ]
    respond(c, items, CAD, instructions="Answer in one sentence.")


CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather", "arguments": '{"place":"Oslo"}', "status": "completed"}


@case(
    "openai-responses/function-round-trip", "a function call, and the request that brings its output",
    answers.response(output=[CALL]), answers.response(text="4 degrees."),
)
def _(c):
    first = respond(c, "Weather in Oslo?", tools=[FUNCTION])
    output = {"type": "function_call_output", "call_id": "call_1", "output": "4 degrees"}
    items = [{"role": "user", "content": "Weather in Oslo?"}, *first.output, output]
    respond(c, items, tools=[FUNCTION])


@case("openai-responses/built-in-tools", "a response with tools that the server has itself", answers.response())
def _(c):
    tools = [
        {"type": "web_search", "search_context_size": "low"},
        {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 3},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "image_generation", "model": "gpt-image-1", "size": "1024x1024"},
        {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example.com", "require_approval": "never"},
    ]
    respond(c, tools=tools, tool_choice="auto", max_tool_calls=5, parallel_tool_calls=False)


@case("openai-responses/custom-tool", "a response with a custom tool by its name", answers.response(output=[{"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "shell", "input": "ls"}]))
def _(c):
    respond(c, tools=[{"type": "custom", "name": "shell"}], tool_choice={"type": "custom", "name": "shell"})


@case("openai-responses/reasoning", "a response with reasoning, its summary and encrypted content", answers.response())
def _(c):
    respond(
        c, "6 * 7?", OSS, reasoning={"effort": "high", "summary": "auto"},
        include=["reasoning.encrypted_content"], store=False,
    )


@case("openai-responses/stream", "a streamed response, its events named", answers.response_stream("Hel", "lo!"))
def _(c):
    for _ in respond(c, model=QWEN, stream=True):
        pass


@case("openai-responses/stream-helper", "a response of the client's own stream helper", answers.response_stream("Hel", "lo!"))
def _(c):
    with c.openai.responses.stream(model=LLAMA, input="Hello") as stream:
        stream.get_final_response()


@case("openai-responses/previous-response", "a response that goes on from the one before", answers.response(previous_response_id="resp_0"))
def _(c):
    respond(c, "And then?", previous_response_id="resp_0", truncation="auto")


@case("openai-responses/conversation", "a response within a conversation", answers.response(conversation={"id": "conv_1"}))
def _(c):
    respond(c, "And then?", conversation="conv_1")


@case("openai-responses/text-format", "a response that fits a JSON schema", answers.response(text="{}"))
def _(c):
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    form = {"type": "json_schema", "name": "empty", "schema": schema, "strict": True}
    c.openai.responses.create(model=LLAMA, input="JSON please", text={"format": form, "verbosity": "low"})


@case("openai-responses/parse", "a response that is a pydantic class", answers.response(text='{"steps":[],"answer":"x = 2"}'))
def _(c):
    c.openai.responses.parse(model=LLAMA, input="Solve 2x = 4", text_format=Solution)


@case("openai-responses/image-and-file", "a response to an image and a file", answers.response(text="A pixel and a report."))
def _(c):
    content = [
        {"type": "input_text", "text": "What are these?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
        {"type": "input_file", "filename": "report.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"},
        {"type": "input_image", "file_id": "file-1", "detail": "low"},
    ]
    respond(c, [{"role": "user", "content": content}], QWEN)


@case("openai-responses/options", "a response with all other options", answers.response())
def _(c):
    respond(
        c, max_output_tokens=64, temperature=0.2, top_p=0.9, top_logprobs=3, user="u-1", safety_identifier="s-1",
        metadata={"team": "a"}, service_tier="auto", prompt_cache_key="k", background=False, include=["message.output_text.logprobs"],
    )


@case(
    "openai-responses/prompt-without-model", "a stored prompt, and no model: no routing header, the default pool",
    answers.response(),
)
def _(c):
    c.openai.responses.create(prompt={"id": "pmpt_1", "version": "2", "variables": {"model": "T"}}, input="Hello")


@case("openai-responses/unknown-model", "a response of a model that no mapping has", answers.response())
def _(c):
    respond(c, model=OSS)


@case(
    "openai-responses/background",
    "a response in the background is read, its input listed, cancelled and deleted; none of these has a body that names a model",
    answers.response(status="queued", output=[]), answers.response(), Answer(json={"object": "list", "data": [], "has_more": False}),
    answers.response(status="cancelled", output=[]), Answer(json={"id": "resp_1", "object": "response", "deleted": True}),
)
def _(c):
    respond(c, background=True)
    c.openai.responses.retrieve("resp_1", include=["reasoning.encrypted_content"])
    list(c.openai.responses.input_items.list("resp_1"))
    c.openai.responses.cancel("resp_1")
    c.openai.responses.delete("resp_1")


@case("openai-responses/input-tokens", "the tokens of an input are counted", Answer(json={"object": "response.input_tokens", "input_tokens": 9}))
def _(c):
    c.openai.responses.input_tokens.count(model=LLAMA, input="Hello")


@case("openai-responses/compact", "a conversation is compacted", Answer(json={"id": "resp_2", "object": "response.compaction", "created_at": answers.CREATED, "output": [], "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11, "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}}))
def _(c):
    c.openai.responses.compact(model=LLAMA, input=[{"role": "user", "content": "Hello"}])
