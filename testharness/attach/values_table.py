"""The table of values in the chart's README, made of the comments of values.yaml."""

import json
import re

import yaml

from cases import CHART

BEGIN, END = "<!-- values: made by `cargo xtask test attach` with UPDATE_DOCS=1 -->\n", "<!-- /values -->\n"


def rows() -> list[tuple[str, object, str]]:
    """Path, default and description of every value with a `# --` before it."""
    found, path, description = [], [], None
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    for line in text.splitlines():
        if comment := re.match(r" *# -- (.*)", line):
            description = comment[1]
        elif key := re.match(r"( *)([A-Za-z]\w*):", line):
            path = path[: len(key[1]) // 2] + [key[2]]
            if description is not None:
                default = values
                for step in path:
                    default = default[step]
                found.append((".".join(path), default, description))
                description = None
    return found


def table() -> str:
    lines = ["| value | default | |", "|---|---|---|"]
    for path, default, description in rows():
        shown = json.dumps(default, ensure_ascii=False)
        shown = f"`{shown}`" if len(shown) <= 60 else "see values.yaml"
        lines.append(f"| `{path}` | {shown} | {description} |".replace("\\", "\\\\"))
    return "\n".join(lines) + "\n"


def readme() -> str:
    """What README.md of the chart has to be."""
    text = (CHART / "README.md").read_text()
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


def leaves(values: dict, before: str = "") -> set[str]:
    """The paths of values.yaml that need a description: what is no section."""
    found = set()
    for key, value in values.items():
        path = f"{before}{key}"
        found |= leaves(value, f"{path}.") if isinstance(value, dict) and value and path not in CLOSED else {path}
    return found


# Maps that are one value.
CLOSED = {"liveMappings.proxy.resources"}


def schema_leaves(schema: dict, before: str = "") -> set[str]:
    found = set()
    for key, value in schema["properties"].items():
        path = f"{before}{key}"
        if "refused" in value.get("description", "") or path == "global":
            continue
        found |= schema_leaves(value, f"{path}.") if "properties" in value else {path}
    return found
