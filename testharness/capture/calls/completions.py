"""Completions, which have a prompt in place of messages."""

import answers
from cases import CAD, FOOD, LLAMA, QWEN, SQL, SUMMARIZER, case


def complete(c, prompt, model=LLAMA, **more):
    return c.openai.completions.create(model=model, prompt=prompt, **more)


@case("openai-completions/string", "a completion of a text", answers.completion(" there"))
def _(c):
    complete(c, "Hello", max_tokens=5)


@case("openai-completions/list", "completions of several texts", answers.completion(" a", " b"))
def _(c):
    complete(c, ["Hello", "Good bye"], QWEN)


@case("openai-completions/token-ids", "a completion of token ids", answers.completion(" there"))
def _(c):
    complete(c, [128000, 9906, 11], FOOD)


@case("openai-completions/lists-of-token-ids", "completions of several lists of token ids", answers.completion(" a", " b"))
def _(c):
    complete(c, [[1, 2, 3], [4]], SUMMARIZER)


@case(
    "openai-completions/echo-and-logprobs", "echo with logprobs and no new token, as evaluations ask",
    answers.completion("Hi", logprobs={
        "tokens": ["Hi"], "token_logprobs": [None], "top_logprobs": [None], "text_offset": [0],
    }),
)
def _(c):
    complete(c, "Hi", echo=True, logprobs=5, max_tokens=0, temperature=0)


@case("openai-completions/suffix", "text to insert before a suffix", answers.completion("return a + b"))
def _(c):
    complete(c, "def add(a, b):\n    ", SQL, suffix="\n\nprint(add(1, 2))")


@case("openai-completions/options", "best_of, n, penalties, stop, logit_bias, seed and user", answers.completion("a", "b"))
def _(c):
    complete(
        c, "Once", CAD, best_of=3, n=2, presence_penalty=0.5, frequency_penalty=0.5, stop=["\n"], seed=-1,
        logit_bias={"50256": -100}, user="u-1", temperature=1, top_p=0.95,
    )


@case("openai-completions/stream", "a streamed completion", answers.completion_stream(" the", "re"))
def _(c):
    for _ in complete(c, "Hello", stream=True):
        pass


@case("openai-completions/stream-with-usage", "a streamed completion that ends with its usage", answers.completion_stream(" the", "re", usage=True))
def _(c):
    for _ in complete(c, "Hello", QWEN, stream=True, stream_options={"include_usage": True}):
        pass


@case("openai-completions/unknown-model", "a completion of a model that no mapping has", answers.completion("x"))
def _(c):
    complete(c, "Hello", "gpt-3.5-turbo-instruct")
