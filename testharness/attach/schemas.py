"""The schemas of every kind that is shipped, and the check of an object against its own."""

import copy
import json
import re
import tarfile
from pathlib import Path

import jsonschema

from models import load

HERE = Path(__file__).parent
ISTIO = "cloudcoil/models/istio"
KUBERNETES = "cloudcoil/models/kubernetes"

# apiVersion -> where its classes are.
FILES = {
    "extensions.istio.io/v1alpha1": f"{ISTIO}/extensions/v1alpha1.py",
    "networking.istio.io/v1alpha3": f"{ISTIO}/networking/v1alpha3.py",
    "networking.istio.io/v1beta1": f"{ISTIO}/networking/v1beta1.py",
    "v1": f"{KUBERNETES}/core/v1.py",
    "apps/v1": f"{KUBERNETES}/apps/v1.py",
    "networking.k8s.io/v1": f"{KUBERNETES}/networking/v1.py",
    "rbac.authorization.k8s.io/v1": f"{KUBERNETES}/rbac/v1.py",
}


class Schemas:
    def __init__(self, tools: Path):
        self.tools = tools
        self.known = {}

    def check(self, thing: dict) -> list[str]:
        """What is wrong with an object; every kind that is not known is an error too."""
        place = f"{thing.get('kind')} {thing.get('metadata', {}).get('name')}"
        try:
            validator = self.validator(thing.get("apiVersion", ""), thing.get("kind", ""))
        except KeyError:
            return [f"{place}: no schema for {thing.get('apiVersion')} {thing.get('kind')}"]
        if not thing.get("metadata", {}).get("name"):
            return [f"{place}: metadata/name is missing"]
        return [
            f"{place}: {'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator.iter_errors(thing)
        ]

    def validator(self, version: str, kind: str) -> jsonschema.Draft202012Validator:
        if (version, kind) not in self.known:
            schema = self.find(version, kind)
            self.known[version, kind] = jsonschema.Draft202012Validator(schema)
        return self.known[version, kind]

    def find(self, version: str, kind: str) -> dict:
        if version in FILES:
            return load(self.tools / "schemas" / FILES[version]).schema(kind)
        if version == "gateway.envoyproxy.io/v1alpha1":
            # No package has them: written after Envoy Gateway's API reference, with the fields that are used here.
            kinds = json.loads((HERE / "schemas" / "envoy-gateway.json").read_text())
            jsonschema.Draft202012Validator.check_schema(kinds[kind])
            return kinds[kind]
        return self.gateway_api(version, kind)

    def gateway_api(self, version: str, kind: str) -> dict:
        """A JSON schema inside a script of the npm package, closed against unknown fields."""
        group, _, short = version.partition("/")
        archive = next((self.tools / "npm").glob("kubernetes-models-gateway-api-*.tgz"))
        with tarfile.open(archive) as package:
            file = package.extractfile(f"package/{group}/{short}/{kind}.js")
            script = file.read().decode()
        schema = json.loads(re.search(r"const schema = (\{.*?\n\});", script, re.S)[1])
        return closed(schema)


def closed(schema: dict) -> dict:
    """References into other files become anything; objects with named properties admit no others."""
    schema = copy.deepcopy(schema)
    if isinstance(schema, dict):
        if "$ref" in schema:
            return {}
        nullable = schema.pop("nullable", False)
        schema.pop("format", None)
        schema = {key: value if key in ("enum", "default") else closed(value) for key, value in schema.items()}
        if "properties" in schema and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
        if nullable and isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
    elif isinstance(schema, list):
        schema = [closed(item) for item in schema]
    return schema
