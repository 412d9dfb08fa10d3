"""Embeddings."""

import answers
from cases import LLAMA, QWEN, SUMMARIZER, case

VECTOR = [0.25, -0.5, 1.0]
# Three floats of 32 bits, little-endian.
ENCODED = "AACAPgAAAL8AAIA/"


def embed(c, text, model=QWEN, **more):
    return c.openai.embeddings.create(model=model, input=text, **more)


@case("openai-embeddings/string", "an embedding; the client asks for base64 on its own", answers.embeddings(ENCODED))
def _(c):
    embed(c, "Hello")


@case("openai-embeddings/list", "embeddings of several texts", answers.embeddings(ENCODED, ENCODED))
def _(c):
    embed(c, ["Hello", "世界"], SUMMARIZER)


@case("openai-embeddings/token-ids", "an embedding of token ids", answers.embeddings(ENCODED))
def _(c):
    embed(c, [1, 2, 3], LLAMA)


@case("openai-embeddings/lists-of-token-ids", "embeddings of several lists of token ids", answers.embeddings(ENCODED, ENCODED))
def _(c):
    embed(c, [[1, 2], [3]], LLAMA)


@case("openai-embeddings/dimensions", "an embedding of so many dimensions", answers.embeddings(ENCODED))
def _(c):
    embed(c, "Hello", "BAAI/bge-m3", dimensions=3, user="u-1")


@case("openai-embeddings/float-encoding", "an embedding as numbers", answers.embeddings(VECTOR))
def _(c):
    embed(c, "Hello", "BAAI/bge-m3", encoding_format="float")


@case("openai-embeddings/base64-encoding", "an embedding as base64", answers.embeddings(ENCODED))
def _(c):
    embed(c, "Hello", encoding_format="base64")


@case("openai-embeddings/many-inputs", "embeddings of a thousand texts", answers.embeddings(ENCODED))
def _(c):
    embed(c, [f"Chunk {number} of a document that is indexed." for number in range(1000)])


@case("openai-embeddings/vllm-extras", "an embedding with vLLM's fields", answers.embeddings(ENCODED))
def _(c):
    more = {"truncate_prompt_tokens": -1, "priority": 5, "normalize": True, "add_special_tokens": True}
    embed(c, "Hello", extra_body=more)
