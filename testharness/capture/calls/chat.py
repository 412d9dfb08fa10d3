"""Chat completions of the `openai` package."""

import base64
import contextlib
import zlib

import answers
import openai
from cases import CAD, FOOD, LLAMA, QWEN, SQL, SUMMARIZER, case, user
from pydantic import BaseModel

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["place"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "parameters": {
            "type": "object",
            "properties": {"zone": {"type": "string"}},
            "required": ["zone"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def chat(client, content="Hello", model=LLAMA, **more):
    return client.chat.completions.create(model=model, messages=user(content), **more)


@case("openai-chat/plain", "a chat completion goes to the pool of its base model", answers.chat())
def _(c):
    chat(c.openai)


@case("openai-chat/adapter", "an adapter's chat completion goes to the pool of its base model", answers.chat())
def _(c):
    chat(c.openai, "Sum this up: ...", SUMMARIZER)


@case("openai-chat/adapter-of-the-other-pool", "each pool serves its own adapters", answers.chat(), answers.chat())
def _(c):
    chat(c.openai, "Draw a bracket", CAD)
    chat(c.openai, "All users as SQL", SQL)


@case(
    "openai-chat/unknown-model",
    "a model that no mapping has gets an empty base model header and the default pool",
    answers.chat(),
)
def _(c):
    chat(c.openai, model="gpt-4o-mini")


@case("openai-chat/multi-turn", "a conversation with its whole history", answers.chat("Paris has 2.1 million."))
def _(c):
    c.openai.chat.completions.create(
        model=LLAMA,
        messages=[
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": "What is the capital of France?"},
            {"role": "assistant", "content": "Paris."},
            {"role": "user", "content": "How many people live there?"},
        ],
    )


@case("openai-chat/developer-role", "a developer message in place of a system message", answers.chat())
def _(c):
    messages = [{"role": "developer", "content": "Be brief."}, *user("Hello")]
    c.openai.chat.completions.create(model=QWEN, messages=messages)


@case("openai-chat/named-participants", "messages with the names of who speaks", answers.chat())
def _(c):
    messages = [
        {"role": "user", "name": "anna", "content": "I like tea."},
        {"role": "user", "name": "ben", "content": "I like coffee."},
        {"role": "user", "name": "anna", "content": "What does model mean to \"ben\"?"},
    ]
    c.openai.chat.completions.create(model=LLAMA, messages=messages)


@case("openai-chat/tools", "tools that the model may call", answers.chat_tools(answers.call("get_weather", '{"place":"Oslo"}')))
def _(c):
    chat(c.openai, "Weather in Oslo?", tools=[WEATHER, TIME])


for choice, path, sentence in [
    ("auto", "tool-choice-auto", "tools with tool_choice auto"),
    ("none", "tool-choice-none", "tools with tool_choice none"),
    ("required", "tool-choice-required", "tools with tool_choice required"),
    ({"type": "function", "function": {"name": "get_time"}}, "tool-choice-named", "tools, and a tool_choice that names one"),
    (
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_time"}}]},
        },
        "tool-choice-allowed-tools",
        "tools, and a tool_choice of those that are allowed",
    ),
]:
    @case(f"openai-chat/{path}", sentence, answers.chat())
    def _(c, choice=choice):
        chat(c.openai, "What time is it?", tools=[WEATHER, TIME], tool_choice=choice)


@case(
    "openai-chat/tool-round-trip",
    "a tool call, and the request that brings its result",
    answers.chat_tools(answers.call("get_weather", '{"place":"Oslo"}')),
    answers.chat("It is 4 degrees in Oslo."),
)
def _(c):
    messages = user("Weather in Oslo?")
    first = c.openai.chat.completions.create(model=LLAMA, messages=messages, tools=[WEATHER])
    messages.append(first.choices[0].message)
    messages.append({"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": 4, "model": "yr.no"}'})
    c.openai.chat.completions.create(model=LLAMA, messages=messages, tools=[WEATHER])


@case(
    "openai-chat/parallel-tool-calls",
    "two tool calls at once, and both results",
    answers.chat_tools(
        answers.call("get_weather", '{"place":"Oslo"}'), answers.call("get_time", '{"zone":"CET"}', "call_2")
    ),
    answers.chat("4 degrees, and it is noon."),
)
def _(c):
    messages = user("Weather and time in Oslo?")
    first = c.openai.chat.completions.create(
        model=QWEN, messages=messages, tools=[WEATHER, TIME], parallel_tool_calls=True
    )
    messages.append(first.choices[0].message)
    messages.append({"role": "tool", "tool_call_id": "call_1", "content": "4 degrees"})
    messages.append({"role": "tool", "tool_call_id": "call_2", "content": "12:00"})
    c.openai.chat.completions.create(model=QWEN, messages=messages, tools=[WEATHER, TIME])


@case("openai-chat/no-parallel-tool-calls", "tools with parallel_tool_calls false", answers.chat())
def _(c):
    chat(c.openai, tools=[WEATHER], parallel_tool_calls=False)


@case(
    "openai-chat/custom-tool",
    "a custom tool with a grammar",
    answers.chat_tools({"id": "call_1", "type": "custom", "custom": {"name": "calculate", "input": "4+4"}}),
)
def _(c):
    grammar = {"syntax": "lark", "definition": 'start: NUMBER "+" NUMBER\n%import common.NUMBER\n'}
    tool = {
        "type": "custom",
        "custom": {
            "name": "calculate",
            "description": "Adds",
            "format": {"type": "grammar", "grammar": grammar},
        },
    }
    chat(c.openai, "4 and 4?", tools=[tool])


@case("openai-chat/functions", "functions and function_call, as before there were tools", answers.chat())
def _(c):
    chat(c.openai, functions=[WEATHER["function"]], function_call={"name": "get_weather"})


@case("openai-chat/image-url", "an image by its address", answers.chat("A cat."))
def _(c):
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg"}}
    chat(c.openai, [{"type": "text", "text": "What is this?"}, image])


@case("openai-chat/image-data-url", "an image in the request, with its detail", answers.chat("A pixel."))
def _(c):
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}}
    chat(c.openai, [{"type": "text", "text": "What is this?"}, image], QWEN)


@case("openai-chat/several-images", "several images between texts", answers.chat("The same pixel."))
def _(c):
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    text = [{"type": "text", "text": text} for text in ("Compare this", "and this")]
    chat(c.openai, [text[0], image, text[1], image, {"type": "text", "text": "please."}])


def noise(size: int) -> bytes:
    """Bytes that look like a picture and are the same each time."""
    state, out = 1, bytearray()
    while len(out) < size:
        state = zlib.crc32(state.to_bytes(4, "big"))
        out += state.to_bytes(4, "big")
    return bytes(out[:size])


@case("openai-chat/large-image-data-url", "an image of 30 kB in the request", answers.chat("Noise."))
def _(c):
    url = "data:image/jpeg;base64," + base64.b64encode(noise(30_000)).decode()
    chat(c.openai, [{"type": "image_url", "image_url": {"url": url}}], CAD)


@case("openai-chat/audio-input", "sound in the request", answers.chat("Silence."))
def _(c):
    audio = {"type": "input_audio", "input_audio": {"data": base64.b64encode(bytes(48)).decode(), "format": "wav"}}
    chat(c.openai, [{"type": "text", "text": "What do you hear?"}, audio])


@case(
    "openai-chat/audio-output",
    "an answer that is spoken",
    answers.chat(None, audio={"id": "audio_1", "data": "AAAA", "expires_at": answers.CREATED, "transcript": "Hello!"}),
)
def _(c):
    chat(c.openai, modalities=["text", "audio"], audio={"voice": "alloy", "format": "mp3"})


@case("openai-chat/file-data", "a file in the request", answers.chat("An empty document."))
def _(c):
    file = {"filename": "report.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}
    chat(c.openai, [{"type": "file", "file": file}, {"type": "text", "text": "What is in it?"}])


@case("openai-chat/file-id", "a file that was uploaded before", answers.chat("A report."))
def _(c):
    chat(c.openai, [{"type": "file", "file": {"file_id": "file-abc123"}}, {"type": "text", "text": "What is it?"}])


SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "model": {"type": "string", "pattern": "^[a-z]+$"}},
            "required": ["name", "model"],
            "additionalProperties": False,
        },
    },
}


@case("openai-chat/json-schema", "structured output by a JSON schema that has a field model", answers.chat('{"name":"Jo","model":"t"}'))
def _(c):
    chat(c.openai, "Who?", response_format=SCHEMA)


class Step(BaseModel):
    explanation: str
    output: str


class Solution(BaseModel):
    steps: list[Step]
    answer: str | None


@case(
    "openai-chat/parse",
    "structured output by a pydantic class, which becomes a schema with $defs",
    answers.chat('{"steps":[],"answer":"x = 2"}'),
)
def _(c):
    c.openai.chat.completions.parse(model=LLAMA, messages=user("Solve 2x = 4"), response_format=Solution)


@case("openai-chat/json-object", "structured output as any JSON object", answers.chat('{"a":1}'))
def _(c):
    chat(c.openai, "Some JSON", SQL, response_format={"type": "json_object"})


@case(
    "openai-chat/reasoning-effort",
    "reasoning_effort, and an answer that tells its reasoning",
    answers.chat("42", reasoning_content="Six times seven."),
)
def _(c):
    chat(c.openai, "6 * 7?", "openai/gpt-oss-120b", reasoning_effort="high")


@case("openai-chat/verbosity", "a chat completion with verbosity", answers.chat())
def _(c):
    chat(c.openai, verbosity="low")


@case("openai-chat/sampling", "temperature, top_p, penalties and a seed beyond 2^53, each as it was written", answers.chat())
def _(c):
    chat(
        c.openai, temperature=0.1 + 0.2, top_p=1e-07, frequency_penalty=-0.5, presence_penalty=2,
        seed=9007199254740993,
    )


@case("openai-chat/stop", "stop words as a string and as a list", answers.chat(), answers.chat())
def _(c):
    chat(c.openai, stop="\n")
    chat(c.openai, stop=["\n\n", "END", "\u2028"])


LOGPROBS = {
    "content": [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}],
    "refusal": None,
}


@case(
    "openai-chat/logprobs",
    "a chat completion with logprobs and top_logprobs",
    answers.chat(choices=[{
        "index": 0, "message": {"role": "assistant", "content": "Hi"}, "logprobs": LOGPROBS, "finish_reason": "stop",
    }]),
)
def _(c):
    chat(c.openai, logprobs=True, top_logprobs=2)


@case(
    "openai-chat/several-choices",
    "n answers at once",
    answers.chat(choices=[
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for index, text in enumerate(["Hi", "Hello", "Hey"])
    ]),
)
def _(c):
    chat(c.openai, n=3)


@case("openai-chat/logit-bias", "a chat completion with logit_bias", answers.chat())
def _(c):
    chat(c.openai, logit_bias={"50256": -100, "198": 5})


@case("openai-chat/user-and-metadata", "a chat completion with user, safety_identifier, metadata and store", answers.chat())
def _(c):
    chat(c.openai, user="user-1234", safety_identifier="b2c3", metadata={"team": "a", "model": "not this one"}, store=True)


@case("openai-chat/prediction", "a predicted output", answers.chat("class A: pass\n"))
def _(c):
    chat(c.openai, "Rename B to A", prediction={"type": "content", "content": "class B:\n    pass\n"})


@case("openai-chat/service-tier", "a chat completion with service_tier", answers.chat())
def _(c):
    chat(c.openai, service_tier="flex")


@case("openai-chat/max-tokens", "chat completions with max_tokens and with max_completion_tokens", answers.chat(finish="length"), answers.chat(finish="length"))
def _(c):
    chat(c.openai, max_tokens=16)
    chat(c.openai, max_completion_tokens=16)


@case("openai-chat/prompt-cache", "hints for the prompt cache", answers.chat())
def _(c):
    chat(c.openai, prompt_cache_key="tenant-7", prompt_cache_retention="24h")


@case("openai-chat/web-search", "a chat completion with web_search_options", answers.chat("Sunny."))
def _(c):
    place = {"type": "approximate", "approximate": {"country": "NO", "city": "Oslo"}}
    chat(c.openai, "News?", web_search_options={"search_context_size": "low", "user_location": place})


@case("openai-chat/null-fields", "fields that are null, and an assistant message without content", answers.chat())
def _(c):
    messages = [
        *user("Hello"),
        {"role": "assistant", "content": None, "refusal": "I will not.", "tool_calls": None},
        *user("Why?"),
    ]
    c.openai.chat.completions.create(model=LLAMA, messages=messages, stop=None, seed=None, user=None)


@case("openai-chat/empty-messages", "an empty list of messages is the model server's matter", answers.error(400, "messages is empty", None))
def _(c):
    with contextlib.suppress(openai.BadRequestError):
        c.openai.chat.completions.create(model=LLAMA, messages=[])


@case("openai-chat/stream", "a streamed answer", answers.chat_stream("Hel", "lo!"))
def _(c):
    for _ in chat(c.openai, stream=True):
        pass


@case("openai-chat/stream-with-usage", "a streamed answer that ends with its usage", answers.chat_stream("Hel", "lo!", usage=True))
def _(c):
    for _ in chat(c.openai, model=QWEN, stream=True, stream_options={"include_usage": True}):
        pass


@case(
    "openai-chat/stream-tool-call",
    "a tool call that is streamed in pieces",
    answers.chat_stream(
        {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"pla'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ce":"Oslo"}'}}]},
        finish="tool_calls",
    ),
)
def _(c):
    for _ in chat(c.openai, "Weather?", tools=[WEATHER], stream=True):
        pass


@case("openai-chat/stream-helper", "the client's own stream helper", answers.chat_stream("Hel", "lo!", usage=True))
def _(c):
    with c.openai.chat.completions.stream(model=FOOD, messages=user("Hello"), stream_options={"include_usage": True}) as stream:
        stream.get_final_completion()


@case("openai-chat/stream-unicode", "a stream of emoji and CJK text", answers.chat_stream("你好", "，", "👩‍👩‍👧", "🇳🇴"))
def _(c):
    for _ in chat(c.openai, "打招呼 👋", stream=True):
        pass


@case("openai-chat/emoji", "emoji, with their joiners and flags, as they are", answers.chat("👍🏽"))
def _(c):
    chat(c.openai, "👩‍👩‍👧 🇳🇴 👍🏽 🏴‍☠️ are four?")


@case("openai-chat/cjk", "Chinese, Japanese and Korean text", answers.chat("はい"))
def _(c):
    chat(c.openai, "你好，世界。こんにちは、世界。안녕하세요 세계. 𠮷野家", QWEN)


@case("openai-chat/right-to-left", "Arabic and Hebrew text with marks of direction", answers.chat("نعم"))
def _(c):
    chat(c.openai, "\u200fمرحبا بالعالم\u200e שלום עולם é e\u0301")


@case("openai-chat/escapes", "text full of quotes, backslashes, line ends and control characters", answers.chat())
def _(c):
    chat(c.openai, 'say "hi"\\n\r\n\t\b\f\x00\x1b[0m </script> {"model":"other"} \u2028\ufeff\x7f')


@case("openai-chat/model-in-text", "a text that holds JSON with another model does not matter", answers.chat())
def _(c):
    chat(c.openai, '","model":"Qwen/Qwen2.5-1.5B-Instruct","x":"')


@case("openai-chat/long-text", "a prompt of 40 kB", answers.chat("Long."))
def _(c):
    line = "Payload %d: the quick brown fox — über dem faulen Hund — 跳过懒狗. "
    chat(c.openai, "".join(line % number for number in range(500)), SUMMARIZER)


@case("openai-chat/extra-headers-and-query", "headers and a query of the caller's go on", answers.chat())
def _(c):
    chat(c.openai, extra_headers={"X-Request-Id": "r-1", "X-Tenant": "a"}, extra_query={"api-version": "2", "model": "x"})


@case("openai-chat/organization", "the headers of an organization and a project", answers.chat())
def _(c):
    chat(c.openai_with("organization", organization="org-1", project="proj-1"))


@case("openai-chat/azure", "the Azure client: the deployment is in the path, the model in the body", answers.chat())
def _(c):
    chat(c.azure())


@case("openai-chat/azure-v1", "the Azure client of a deployment", answers.chat())
def _(c):
    chat(c.azure(azure_deployment="my-qwen"), model=QWEN)


@case(
    "openai-chat/retry",
    "the client tries again after 429, and says so in a header",
    answers.error(429, "slow down", "rate_limit_exceeded", "rate_limit_error", [("retry-after-ms", "1")]),
    answers.chat(),
)
def _(c):
    chat(c.openai)


@case(
    "openai-chat/server-error",
    "an error of the model server reaches the client as it is",
    answers.error(500, "out of memory", None, "server_error"),
)
def _(c):
    with contextlib.suppress(openai.InternalServerError):
        chat(c.openai_with("no retries", max_retries=0))


@case(
    "openai-chat/context-length-exceeded",
    "a refusal of the model server reaches the client as it is",
    answers.error(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
)
def _(c):
    with contextlib.suppress(openai.BadRequestError):
        chat(c.openai, max_tokens=1_000_000)


@case("openai-chat/stored-completions", "stored completions are listed, read, changed and deleted",
      answers.Answer(json={"object": "list", "data": [], "has_more": False}),
      answers.chat(),
      answers.chat(),
      answers.Answer(json={"object": "chat.completion.deleted", "id": "chatcmpl-1", "deleted": True}))
def _(c):
    list(c.openai.chat.completions.list(model=LLAMA, limit=5))
    c.openai.chat.completions.retrieve("chatcmpl-1")
    c.openai.chat.completions.update("chatcmpl-1", metadata={"seen": "yes"})
    c.openai.chat.completions.delete("chatcmpl-1")
