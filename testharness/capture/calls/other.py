"""The rest of OpenAI's API: what names a model is routed, what is not JSON or has no body goes on as it is."""

import io

import answers
from answers import Answer
from cases import LLAMA, QWEN, case

CREATED = answers.CREATED
FILE = {"id": "file-1", "object": "file", "bytes": 3, "created_at": CREATED, "filename": "a.jsonl", "purpose": "batch", "status": "processed"}
BATCH = {
    "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-1",
    "completion_window": "24h", "status": "validating", "created_at": CREATED,
}
MODERATED = {"id": "modr-1", "model": "omni-moderation-latest", "results": []}
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \xff\xfe\x00\x80"


@case("openai-other/moderations", "moderations of a text, of texts and of an image", Answer(json=MODERATED), Answer(json=MODERATED), Answer(json=MODERATED))
def _(c):
    c.openai.moderations.create(input="I like tea.")
    c.openai.moderations.create(model="omni-moderation-latest", input=["a", "b"])
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg"}}
    c.openai.moderations.create(model=QWEN, input=[{"type": "text", "text": "a"}, image])


@case("openai-other/transcription", "a transcription is multipart: it goes on unheld and unrouted", Answer(json={"text": "Hello!"}))
def _(c):
    c.openai.audio.transcriptions.create(model="openai/whisper-large-v3", file=("a.wav", WAV), language="en")


@case("openai-other/transcription-stream", "a streamed transcription", Answer(sse=[{"type": "transcript.text.delta", "delta": "Hel"}, {"type": "transcript.text.done", "text": "Hello!"}]))
def _(c):
    for _ in c.openai.audio.transcriptions.create(model="openai/whisper-large-v3", file=("a.wav", WAV), stream=True):
        pass


@case("openai-other/translation", "a translation of speech is multipart", Answer(json={"text": "Hello!"}))
def _(c):
    c.openai.audio.translations.create(model="openai/whisper-large-v3", file=("a.wav", WAV))


@case("openai-other/speech", "speech out of text: JSON in, sound out", Answer(headers=[("content-type", "audio/mpeg")], text="ID3 not really"))
def _(c):
    c.openai.audio.speech.create(model=QWEN, voice="alloy", input="Hello", response_format="mp3").read()


IMAGES = Answer(json={"created": CREATED, "data": [{"b64_json": "iVBORw0KGgo="}]})


@case("openai-other/image-generation", "an image out of text", IMAGES)
def _(c):
    c.openai.images.generate(model=QWEN, prompt="A cat", n=1, size="1024x1024", response_format="b64_json")


@case("openai-other/image-edit", "an image is edited: multipart", IMAGES)
def _(c):
    c.openai.images.edit(model="gpt-image-1", image=("a.png", b"\x89PNG\r\n\x1a\n", "image/png"), prompt="Blue")


@case("openai-other/file-upload", "a file is uploaded: multipart", Answer(json=FILE))
def _(c):
    lines = b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"%s"}}\n' % LLAMA.encode()
    c.openai.files.create(file=("a.jsonl", io.BytesIO(lines)), purpose="batch")


@case("openai-other/files", "files are listed, read and deleted", Answer(json={"object": "list", "data": [FILE], "has_more": False}), Answer(headers=[("content-type", "application/octet-stream")], text='{"custom_id":"1"}\n'), Answer(json={"id": "file-1", "object": "file", "deleted": True}))
def _(c):
    c.openai.files.list()
    c.openai.files.content("file-1").read()
    c.openai.files.delete("file-1")


MODEL = {"id": LLAMA, "object": "model", "created": CREATED, "owned_by": "vllm"}


@case("openai-other/models", "the models are listed and one is read: no body, no routing header", Answer(json={"object": "list", "data": [MODEL]}), Answer(json=MODEL))
def _(c):
    list(c.openai.models.list())
    c.openai.models.retrieve(LLAMA)


@case("openai-other/batches", "a batch is made, read, listed and cancelled; its models are in a file", Answer(json=BATCH), Answer(json=BATCH), Answer(json={"object": "list", "data": [BATCH], "has_more": False}), Answer(json=BATCH))
def _(c):
    c.openai.batches.create(input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h")
    c.openai.batches.retrieve("batch_1")
    c.openai.batches.list(limit=1)
    c.openai.batches.cancel("batch_1")


@case("openai-other/fine-tuning", "a fine-tuning job names the model that it starts from", Answer(json={
    "id": "ftjob-1", "object": "fine_tuning.job", "model": answers.MODEL, "created_at": CREATED, "status": "queued",
    "hyperparameters": {}, "organization_id": "o", "result_files": [], "seed": 1, "training_file": "file-1",
}))
def _(c):
    c.openai.fine_tuning.jobs.create(model=LLAMA, training_file="file-1", suffix="mine")


@case("openai-other/upload", "an upload in parts: JSON, multipart, JSON", *[Answer(json={
    "id": "upload_1", "object": kind, "bytes": 3, "created_at": CREATED, "filename": "a", "purpose": "batch",
    "status": "pending", "expires_at": CREATED,
}) for kind in ("upload", "upload.part", "upload")])
def _(c):
    c.openai.uploads.create(bytes=3, filename="a", mime_type="text/plain", purpose="batch")
    c.openai.uploads.parts.create("upload_1", data=b"abc")
    c.openai.uploads.complete("upload_1", part_ids=["part_1"])


@case("openai-other/vector-store", "a vector store is made and searched", Answer(json={"id": "vs_1", "object": "vector_store", "created_at": CREATED, "name": "docs", "status": "completed"}), Answer(json={"object": "vector_store.search_results.page", "search_query": "a", "data": [], "has_more": False}))
def _(c):
    c.openai.vector_stores.create(name="docs")
    c.openai.vector_stores.search("vs_1", query="payload")


@case("openai-other/conversation", "a conversation is made", Answer(json={"id": "conv_1", "object": "conversation", "created_at": CREATED, "metadata": {}}))
def _(c):
    c.openai.conversations.create(items=[{"type": "message", "role": "user", "content": "Hello"}])
