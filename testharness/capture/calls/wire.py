"""The same requests from other clients: what differs is how they are framed, spelled and ordered."""

import http.client
import json
import urllib.request

import aiohttp
import answers
import httpx
import requests
from answers import Answer
from cases import CAD, FOOD, LLAMA, QWEN, SQL, SUMMARIZER, case, user

PATH = "/v1/chat/completions"


@case("clients/openai-python-async", "OpenAI's asynchronous client", answers.chat())
async def _(c):
    await c.openai_async.chat.completions.create(model=LLAMA, messages=user("Hello"))


@case("clients/openai-python-async-stream", "OpenAI's asynchronous client, streaming", answers.chat_stream("Hel", "lo!"))
async def _(c):
    stream = await c.openai_async.chat.completions.create(model=QWEN, messages=user("Hello"), stream=True)
    async for _ in stream:
        pass


@case("clients/openai-python-aiohttp", "OpenAI's asynchronous client over aiohttp", answers.chat())
async def _(c):
    async with c.openai_aiohttp() as client:
        await client.chat.completions.create(model=CAD, messages=user("Hello"))


@case("clients/openai-python-raw-response", "OpenAI's client for raw and for streaming responses", answers.chat(), answers.chat())
def _(c):
    c.openai.chat.completions.with_raw_response.create(model=LLAMA, messages=user("Hello")).parse()
    with c.openai.chat.completions.with_streaming_response.create(model=LLAMA, messages=user("Hello")) as response:
        response.read()


for path, package, call, sentence, answer in [
    ("openai-node-chat", "openai", "chat", "a chat completion", answers.chat()),
    ("openai-node-chat-stream", "openai", "chat-stream", "a streamed answer; the model comes last", answers.chat_stream("Hel", "lo!")),
    ("openai-node-tools", "openai", "chat-tools", "tools; the model comes last", answers.chat()),
    ("openai-node-embeddings", "openai", "embeddings", "embeddings", answers.embeddings("AACAPgAAAL8AAIA/", "AACAPgAAAL8AAIA/")),
    ("openai-node-responses", "openai", "responses", "a response", answers.response()),
    ("openai-node-transcription", "openai", "transcription", "a transcription: multipart, chunked", Answer(json={"text": "Hi"})),
    ("anthropic-node-messages", "@anthropic-ai/sdk", "messages", "a message", answers.anthropic()),
    ("anthropic-node-messages-stream", "@anthropic-ai/sdk", "messages-stream", "a streamed message", answers.anthropic_stream("Hel", "lo!")),
    ("node-fetch", "fetch", "fetch", "fetch", answers.chat()),
    ("node-fetch-text", "fetch", "fetch-text", "fetch without a content-type says text/plain: it goes on unread", answers.chat()),
    ("node-fetch-stream", "fetch", "fetch-stream", "fetch of a stream: chunked", answers.chat()),
    ("node-http", "node:http", "http", "node:http with two writes: chunked, the model's name cut", answers.chat()),
]:
    @case(f"clients/{path}", f"Node.js: {sentence}", answer)
    def _(c, package=package, call=call):
        c.node(package, call)


JSON = ("-H", "content-type: application/json")
BODY = json.dumps({"model": SUMMARIZER, "messages": user("Hello")})


@case("clients/curl", "curl as one types it", answers.chat())
def _(c):
    c.curl(*JSON, "-H", "Authorization: Bearer not-a-key", "-d", BODY)


@case("clients/curl-pretty", "curl with a body over several lines, as documentation shows it", answers.chat())
def _(c):
    c.curl(*JSON, "-d", '{\n  "model": "%s",\n  "messages": [\n    {"role": "user", "content": "It\'s me"}\n  ]\n}' % FOOD)


@case("clients/curl-data-from-file", "curl -d @file takes the line ends out, --data-binary does not", answers.chat(), answers.chat())
def _(c):
    text = '{\r\n\t"model": "%s",\r\n\t"messages": []\r\n}\r\n' % SQL
    c.curl(*JSON, "-d", "@-", stdin=text.encode())
    c.curl(*JSON, "--data-binary", "@-", stdin=text.encode())


@case("clients/curl-json", "curl --json", answers.chat())
def _(c):
    c.curl("--json", BODY)


@case("clients/curl-without-content-type", "curl -d without a content-type sends a form: it goes on unread", answers.chat())
def _(c):
    c.curl("-d", BODY)


@case("clients/curl-empty-content-type", "curl told to send no content-type: the body is read", answers.chat())
def _(c):
    c.curl("-H", "content-type:", "-d", BODY)


@case("clients/curl-chunked", "curl with transfer-encoding chunked", answers.chat())
def _(c):
    c.curl(*JSON, "-H", "transfer-encoding: chunked", "-d", BODY)


@case("clients/curl-put", "curl -T from standard input: PUT, chunked", answers.chat())
def _(c):
    c.curl(*JSON, "-T", "-", stdin=BODY.encode())


@case("clients/curl-expect-continue", "curl waits for 100 before it sends the body", answers.chat())
def _(c):
    c.curl(*JSON, "-H", "Expect: 100-continue", "-d", BODY)


@case("clients/curl-form", "curl -F: multipart", Answer(json={"text": "Hi"}))
def _(c):
    c.curl("-F", "model=openai/whisper-large-v3", "-F", "file=@-;filename=a.wav", path="/v1/audio/transcriptions", stdin=b"RIFF")


@case("clients/curl-get", "curl without a body: GET", Answer(json={"object": "list", "data": []}))
def _(c):
    c.curl(path="/v1/models")


@case("clients/curl-head", "curl -I: HEAD", Answer())
def _(c):
    c.curl("-I", path="/health")


@case("clients/requests", "requests: spaces after the separators, other scripts as escapes", answers.chat(), source=f"requests {requests.__version__}")
def _(c):
    requests.post(c.root + PATH, json={"model": LLAMA, "messages": user("Grüße 你好 😀")})


@case("clients/requests-generator", "requests with a generator: chunked", answers.chat(), source=f"requests {requests.__version__}")
def _(c):
    def pieces():
        yield b'{"model":"meta-llama/Llama-3.1'
        yield b'-8B-Instruct","messages"'
        yield b":[]}"
    requests.post(c.root + PATH, data=pieces(), headers={"content-type": "application/json"})


@case("clients/httpx", "httpx: no spaces, text as it is; the model comes last", answers.chat(), source=f"httpx {httpx.__version__}")
def _(c):
    httpx.post(c.root + PATH, json={"messages": user("Grüße 你好 😀"), "model": LLAMA})


@case("clients/httpx-stream", "httpx with a generator: chunked", answers.chat(), source=f"httpx {httpx.__version__}")
def _(c):
    def pieces():
        for at in range(0, len(BODY), 20):
            yield BODY[at : at + 20].encode()
    httpx.post(c.root + PATH, content=pieces(), headers={"content-type": "application/json; charset=utf-8"})


@case("clients/aiohttp", "aiohttp", answers.chat(), source=f"aiohttp {aiohttp.__version__}")
async def _(c):
    async with aiohttp.ClientSession() as session, session.post(c.root + PATH, json={"model": QWEN, "messages": []}) as response:
        await response.read()


@case("clients/urllib", "urllib, which says that every body is a form: it goes on unread", answers.chat(), source="Python's urllib")
def _(c):
    urllib.request.urlopen(c.root + PATH, data=BODY.encode()).read()


@case("clients/http-client", "http.client: no content-type, no user-agent: the body is read", answers.chat(), source="Python's http.client")
def _(c):
    connection = http.client.HTTPConnection("127.0.0.1", c.port)
    connection.request("POST", PATH, BODY)
    connection.getresponse().read()
    connection.close()
