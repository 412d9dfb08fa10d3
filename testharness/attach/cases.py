"""Everything that ships objects, rendered by the real programs: a name for each, and its objects."""

import os
import re
import subprocess
from pathlib import Path

import yaml
from helm_python import Chart

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "istio" / "chart"
NAMESPACE = "inference"


def objects(text: str) -> list[dict]:
    return [document for document in yaml.safe_load_all(text) if document]


def chart(values: dict, chart_folder: Path = CHART) -> tuple[list[dict], str]:
    """The objects and the notes, for a release `ipp`."""
    rendered = Chart.load(chart_folder).render(values, name="ipp", namespace=NAMESPACE)
    notes = next(text for path, text in rendered.items() if path.endswith("NOTES.txt"))
    manifests = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    return [thing for text in manifests for thing in objects(text)], notes


def values_files() -> list[Path]:
    return sorted((CHART / "ci").glob("*-values.yaml"))


def kustomize(kubectl: Path, folder: Path) -> list[dict]:
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"kubectl kustomize {folder}: {done.stderr}")
    return objects(done.stdout)


def shipped(path: str) -> list[dict]:
    return objects((ROOT / path).read_text())


def traffic_extensions() -> list[dict]:
    """The commented variant of istio/wasmplugin.yaml, with the configurations that it refers to."""
    text = (ROOT / "istio" / "wasmplugin.yaml").read_text()
    _, comment = text.split("# --- TrafficExtension\n")
    pair = objects("\n".join(line.removeprefix("#") for line in comment.splitlines()))
    configs = {thing["metadata"]["name"]: thing["spec"]["pluginConfig"] for thing in objects(text)}
    for thing in pair:
        assert thing["spec"]["wasm"]["pluginConfig"] == {}
        thing["spec"]["wasm"]["pluginConfig"] = configs[thing["metadata"]["name"]]
    return pair


def rendered_by_replay(form: str, folder: Path) -> str:
    """What `ipp-replay render` makes of a configuration with two base models, in this form."""
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(shipped("istio/wasmplugin.yaml")[0]["spec"]["pluginConfig"] | {"proxyWasm": {}}))
    cargo = [os.environ.get("CARGO", "cargo"), "run", "--quiet", "--package", "ipp-testharness", "--bin", "ipp-replay"]
    url = "oci://registry.example/payload-processor@sha256:" + "0" * 63 + "1"
    arguments = ["render", "--as", form, "--config", config, "--url", url, "--gateway", "inference-gateway"]
    done = subprocess.run([*cargo, "--", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise RuntimeError(f"ipp-replay render --as {form}: {done.stderr}")
    return done.stdout


def pasted(marker: str) -> str:
    """The block of README.md after `<!-- test: MARKER -->`."""
    text = (ROOT / "README.md").read_text()
    found = re.findall(rf"<!-- test: {marker} -->\n```\w+\n(.*?)```", text, re.S)
    assert len(found) == 1, f"README.md has {len(found)} blocks marked {marker}, expected one"
    return found[0]


def readme_values() -> tuple[list[str], dict]:
    """The `helm` command of the README, and the values in its here-document."""
    block = pasted("attach-istio")
    command, rest = re.search(r"^(helm .*?) -f - <<'EOF'\n(.*?)^EOF$", block, re.S | re.M).groups()
    return command.replace("\\\n", " ").split(), yaml.safe_load(rest)


def namespaced(things: list[dict]) -> list[dict]:
    """As `kubectl apply --namespace` would have them."""
    for thing in things:
        if thing["kind"] not in ("ClusterRole", "ClusterRoleBinding"):
            thing["metadata"].setdefault("namespace", NAMESPACE)
    return things


def all_cases(kubectl: Path, scratch: Path) -> dict[str, list[dict]]:
    routes = shipped("istio/httproute-services.yaml")
    overlays = ROOT / "istio" / "kustomize" / "overlays"
    cases = {f"chart-{path.stem.removesuffix('-values')}": chart(yaml.safe_load(path.read_text()))[0] for path in values_files()}
    models = yaml.safe_load((CHART / "ci" / "istio-models-values.yaml").read_text())
    models["provider"]["mode"] = "envoyfilter"
    cases["chart-istio-envoyfilter-models"] = chart(models)[0]
    # The overlays are the same objects as the files beside them, which another test makes sure of.
    for overlay in ("wasmplugin", "envoyfilter"):
        cases[f"istio-{overlay}"] = kustomize(kubectl, overlays / overlay)
    cases["istio-trafficextension"] = traffic_extensions() + shipped("istio/buffer-limits.yaml")
    cases["envoy-gateway-wasm-pair"] = shipped("envoy/envoy-gateway/wasm-pair.yaml")
    cases["envoy-gateway-direct"] = in_namespace_default(shipped("envoy/envoy-gateway/direct.yaml"))
    values = yaml.safe_load(rendered_by_replay("helm-values", scratch))
    cases["render-helm-values"] = chart(values)[0]
    cases["readme-istio"] = chart(readme_values()[1])[0]
    everything = {name: namespaced(things + [dict(route) for route in routes]) for name, things in cases.items()}
    pools = cases["istio-envoyfilter"] + shipped("istio/httproute-inferencepools.yaml")
    everything["istio-inferencepools"] = namespaced(pools)
    return everything


def in_namespace_default(things: list[dict]) -> list[dict]:
    """That file names its namespace in a patch."""
    for thing in things:
        thing["metadata"]["namespace"] = "default"
    return things
