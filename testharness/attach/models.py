"""JSON schemas out of the sources of the cloudcoil packages: generated classes with one annotation for each field."""

import ast
import functools
from pathlib import Path

# What those classes take from elsewhere. Quantities and the like are bare strings or numbers.
ELSEWHERE = {
    "Any": {},
    "AwareDatetime": {"type": "string"},
    "Base64Str": {"type": "string"},
    "Condition": {"type": "object"},
    "IntOrString": {"type": ["integer", "string"]},
    "LabelSelector": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"matchLabels": {"type": "object"}, "matchExpressions": {"type": "array"}},
    },
    "MicroTime": {"type": "string"},
    "ObjectMeta": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$"},
            "namespace": {"type": "string"},
            "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
    "Quantity": {"type": ["integer", "number", "string"]},
    "RawExtension": {},
    "Time": {"type": "string"},
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "int": {"type": "integer"},
    "str": {"type": "string"},
}
CONSTRAINTS = {
    "ge": "minimum",
    "le": "maximum",
    "max_length": ("maxLength", "maxItems", "maxProperties"),
    "min_length": ("minLength", "minItems", "minProperties"),
    "pattern": "pattern",
}
LENGTHS = {"string": 0, "array": 1, "object": 2}


class Module:
    """One generated file. A class becomes a closed object: a field that the API does not have is an error."""

    def __init__(self, path: Path):
        self.path = path
        tree = ast.parse(path.read_text())
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self.aliases = {
            node.targets[0].id: node.value.args[1]
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and getattr(node.value.func, "id", "") == "TypeAliasType"
        }
        self.imports = {
            alias.asname or alias.name: (node.level, node.module, alias.name)
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.level
            for alias in node.names
        }

    @functools.cache
    def schema(self, name: str) -> dict:
        node = self.classes[name]
        base = node.bases[0]
        if isinstance(base, ast.Subscript) and base.value.id == "RootModel":
            return self.of(base.slice)
        properties, required = {}, []
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or "ClassVar" in ast.unparse(field.annotation):
                continue
            key = alias_of(field.annotation) or field.target.id
            properties[key] = self.of(field.annotation)
            # `apiVersion` and `kind` have defaults in Python and none in Kubernetes.
            if field.value is None or key in ("apiVersion", "kind"):
                required.append(key)
        return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}

    def of(self, node: ast.expr) -> dict:
        """The schema of a type annotation."""
        if isinstance(node, ast.Constant) and node.value is None:
            return {"type": "null"}
        if isinstance(node, ast.BinOp):
            return {"anyOf": [self.of(node.left), self.of(node.right)]}
        if isinstance(node, ast.Attribute):
            level, folder, name = self.imports[node.value.id]
            root = self.path.parents[level - 1]
            return load(root / (folder or "").replace(".", "/") / f"{name}.py").schema(node.attr)
        if isinstance(node, ast.Name):
            if node.id in self.classes:
                return self.schema(node.id)
            return self.of(self.aliases[node.id]) if node.id in self.aliases else ELSEWHERE[node.id]
        if not isinstance(node, ast.Subscript):
            raise ValueError(f"{self.path}: cannot read {ast.unparse(node)}")
        if node.value.id == "list":
            return {"type": "array", "items": self.of(node.slice)}
        if node.value.id == "dict":
            return {"type": "object", "additionalProperties": self.of(node.slice.elts[1])}
        if node.value.id == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return {"enum": [ast.literal_eval(value) for value in values]}
        if node.value.id == "Annotated":
            schema = self.of(node.slice.elts[0])
            for keyword in node.slice.elts[1].keywords:
                schema = constrained(schema, keyword)
            return schema
        raise ValueError(f"{self.path}: cannot read {ast.unparse(node)}")


@functools.cache
def load(path: Path) -> Module:
    return Module(path)


def alias_of(annotation: ast.expr) -> str | None:
    if isinstance(annotation, ast.Subscript) and annotation.value.id == "Annotated":
        for keyword in annotation.slice.elts[1].keywords:
            if keyword.arg == "alias":
                return keyword.value.value
    return None


def constrained(schema: dict, keyword: ast.keyword) -> dict:
    if keyword.arg not in CONSTRAINTS:
        return schema
    if "anyOf" in schema:
        # The other branch is `None`, or is bounded in a way of its own.
        return {"anyOf": [constrained(schema["anyOf"][0], keyword), *schema["anyOf"][1:]]}
    name = CONSTRAINTS[keyword.arg]
    if isinstance(name, tuple):
        name = name[LENGTHS[schema["type"]]]
    return {**schema, name: ast.literal_eval(keyword.value)}
