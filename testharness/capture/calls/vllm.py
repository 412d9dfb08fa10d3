"""What vLLM understands beyond OpenAI's API, sent with the `openai` package as vLLM's documentation does."""

import answers
from answers import Answer
from cases import CAD, FOOD, LLAMA, QWEN, SQL, SUMMARIZER, case, user
from server import MODEL

PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}


def extra(path, sentence, fields, answer=None, model=LLAMA, content="Hello", **more):
    """A chat completion with fields in `extra_body`."""
    @case(f"vllm/{path}", f"a chat completion with {sentence}", answer or answers.chat())
    def _(c):
        c.openai.chat.completions.create(model=model, messages=user(content), extra_body=fields, **more)


extra("guided-json", "guided_json", {"guided_json": PERSON}, answers.chat('{"name":"Jo","age":3}'))
extra("guided-regex", "guided_regex", {"guided_regex": "\\d{3}-\\d{4}", "guided_decoding_backend": "xgrammar"}, model=QWEN)
extra("guided-choice", "guided_choice", {"guided_choice": ["positive", "negative"]}, answers.chat("positive"), SUMMARIZER)
extra("guided-grammar", "guided_grammar", {"guided_grammar": 'root ::= "SELECT " name\nname ::= [a-z]+'}, model=SQL)
extra("structured-outputs", "structured_outputs, which replaces guided decoding", {"structured_outputs": {"json": PERSON}})
extra(
    "structural-tag", "a response_format of structural tags", None,
    response_format={
        "type": "structural_tag",
        "structures": [{"begin": "<function=a>", "schema": PERSON, "end": "</function>"}],
        "triggers": ["<function="],
    },
)
extra("sampling", "top_k, min_p, repetition_penalty and length_penalty",
      {"top_k": 20, "min_p": 0.05, "repetition_penalty": 1.1, "length_penalty": 1.0})
extra("beam-search", "use_beam_search", {"use_beam_search": True, "best_of": 4}, n=2)
extra("ignore-eos", "ignore_eos and min_tokens, as benchmarks send them", {"ignore_eos": True, "min_tokens": 64}, max_tokens=64)
extra("special-tokens", "settings of how special tokens are shown",
      {"skip_special_tokens": False, "spaces_between_special_tokens": False, "include_stop_str_in_output": True}, model=CAD)
extra("stop-token-ids", "stop_token_ids, bad_words and allowed_token_ids",
      {"stop_token_ids": [128001, 128009], "bad_words": ["foo"], "allowed_token_ids": list(range(8))})
extra("chat-template", "a chat template of the request's own",
      {"chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}", "add_generation_prompt": True})
extra("chat-template-kwargs", "chat_template_kwargs that switch thinking off", {"chat_template_kwargs": {"enable_thinking": False}}, model=QWEN)
extra("continue-final-message", "an answer that it begins", {"continue_final_message": True, "add_generation_prompt": False, "echo": True})
extra("documents", "documents for retrieval", {"documents": [{"title": "A", "text": "Payloads are processed."}]}, model=FOOD)
extra("priority", "priority and request_id", {"priority": -10, "request_id": "req-7"})
extra("truncate-prompt-tokens", "truncate_prompt_tokens", {"truncate_prompt_tokens": 1024})
extra("prompt-logprobs", "prompt_logprobs and token ids", {"prompt_logprobs": 1, "return_tokens_as_token_ids": True, "return_token_ids": True}, logprobs=True)
extra(
    "kv-transfer-params", "kv_transfer_params of a prefill that is apart from decoding",
    {"kv_transfer_params": {
        "do_remote_decode": True, "do_remote_prefill": False, "remote_engine_id": None,
        "remote_block_ids": None, "remote_host": None, "remote_port": None,
    }},
    max_tokens=1,
)
extra("mm-processor-kwargs", "mm_processor_kwargs", {"mm_processor_kwargs": {"num_crops": 4, "fps": [2.0]}}, model=QWEN)
extra("cache-salt", "cache_salt", {"cache_salt": "Zm9v/+=="})
extra("vllm-xargs", "vllm_xargs", {"vllm_xargs": {"model": "of the plugin", "window": 10}})
extra("logits-processors", "logits_processors", {"logits_processors": [{"qualname": "my.Processor", "args": [1], "kwargs": {"model": "x"}}]})
extra("reasoning", "include_reasoning and thinking_token_budget", {"include_reasoning": True, "thinking_token_budget": 256},
      answers.chat("42", reasoning="Six times seven."), model=QWEN)
extra("model-in-extra-body", "another model in extra_body, which the client puts in place of the call's", {"model": SUMMARIZER})


@case(
    "vllm/stream-reasoning", "a streamed answer with reasoning before the text, and usage with every piece",
    answers.chat_stream({"reasoning_content": "Six times"}, {"reasoning_content": " seven."}, "42", usage=True),
)
def _(c):
    options = {"include_usage": True, "continuous_usage_stats": True}
    for _ in c.openai.chat.completions.create(model=QWEN, messages=user("6 * 7?"), stream=True, stream_options=options):
        pass


VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/v.mp4"}}
AUDIO = {"type": "audio_url", "audio_url": {"url": "https://example.com/a.wav"}}
EMBEDS = {"type": "image_embeds", "image_embeds": "k05VTVBZAQB2AA=="}


@case("vllm/media-urls", "video, audio and image embeddings", answers.chat("A song."))
def _(c):
    content = [VIDEO, AUDIO, EMBEDS, {"type": "text", "text": "What is it?"}]
    c.openai.chat.completions.create(model=QWEN, messages=user(content))


@case("vllm/media-uuid", "an image that is only known by its uuid", answers.chat("The same."))
def _(c):
    content = [{"type": "image_url", "image_url": None, "uuid": "img-1"}, {"type": "text", "text": "Again?"}]
    c.openai.chat.completions.create(model=QWEN, messages=user(content))


@case("vllm/prompt-embeds", "a completion of prompt embeddings, without a prompt", answers.completion("x"))
def _(c):
    c.openai.completions.create(model=LLAMA, prompt=None, extra_body={"prompt_embeds": "UEsDBAAACAgAAA=="})


@case("vllm/completion-extras", "a completion with vLLM's fields", answers.completion("x"))
def _(c):
    more = {"use_beam_search": False, "top_k": -1, "add_special_tokens": False, "response_format": {"type": "json_object"}}
    c.openai.completions.create(model=SQL, prompt="SELECT", max_tokens=16, extra_body=more)


def post(path, sentence, endpoint, body, reply):
    """A request to one of vLLM's own endpoints."""
    @case(f"vllm/{path}", sentence, Answer(json=reply))
    def _(c):
        c.openai.post(f"{c.root}{endpoint}", body=body, cast_to=object)


post("tokenize", "a prompt is tokenized", "/tokenize", {"model": LLAMA, "prompt": "Hello", "add_special_tokens": True},
     {"count": 2, "max_model_len": 8192, "tokens": [1, 2], "token_strs": None})
post("tokenize-chat", "a conversation is tokenized", "/tokenize", {"model": CAD, "messages": user("Hello")},
     {"count": 5, "max_model_len": 8192, "tokens": [1, 2, 3, 4, 5]})
post("detokenize", "tokens become text", "/detokenize", {"model": QWEN, "tokens": [9707, 11]}, {"prompt": "Hello,"})
post("rerank", "documents are ranked", "/v1/rerank",
     {"model": "BAAI/bge-reranker-v2-m3", "query": "What is a panda?", "documents": ["hi", "An animal."], "top_n": 1},
     {"id": "rerank-1", "model": MODEL, "usage": {"total_tokens": 9}, "results": [{"index": 1, "relevance_score": 0.99}]})
post("score", "pairs of texts are scored", "/score", {"model": QWEN, "text_1": "a", "text_2": ["b", "c"]},
     {"id": "score-1", "object": "list", "data": [{"index": 0, "object": "score", "score": 0.1}]})
post("pooling", "a text is pooled", "/pooling", {"model": QWEN, "input": "vLLM is great!", "task": "token_classify"},
     {"id": "pool-1", "object": "list", "data": [{"index": 0, "object": "pooling", "data": [[0.1]]}]})
post("classify", "texts are classified", "/classify", {"model": FOOD, "input": ["good", "bad"]},
     {"id": "classify-1", "object": "list", "data": [{"index": 0, "label": "Good", "probs": [0.9, 0.1]}]})
post("load-lora-adapter", "loading an adapter names no model", "/v1/load_lora_adapter",
     {"lora_name": "new-adapter", "lora_path": "/adapters/new"}, {"message": "loaded"})
post("generate", "tokens in, tokens out: the endpoint of a disaggregated server", "/inference/v1/generate",
     {"model": LLAMA, "token_ids": [1, 2, 3], "sampling_params": {"max_tokens": 4}}, {"request_id": "1", "choices": []})
