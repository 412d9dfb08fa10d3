"""The list of what is captured: a path, a sentence, what the server answers, and what a client does."""

from collections.abc import Callable
from dataclasses import dataclass

from server import Answer

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
QWEN = "Qwen/Qwen2.5-1.5B-Instruct"
# Adapters of the two.
FOOD, CAD = "food-review-1", "cad-fabricator"
SUMMARIZER, SQL = "qwen-summarizer", "sql-lora"


@dataclass
class Case:
    path: str
    name: str
    answers: list[Answer]
    run: Callable
    source: str | None


ALL: list[Case] = []


def case(path: str, name: str, *answers: Answer, source: str | None = None):
    """Adds the decorated function. It gets the clients; each answer is one exchange of the recording."""
    def add(run: Callable) -> Callable:
        ALL.append(Case(path, name, list(answers), run, source))
        return run
    return add


def user(text: object) -> list[dict]:
    return [{"role": "user", "content": text}]
