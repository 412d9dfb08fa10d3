"""Every object that ships: true to its schema, the same in all the ways it ships, and left for the tests in Envoy."""

import json
import os
import re
import unittest
from pathlib import Path

import jsonpath
import yaml

import cases
from cases import ROOT, kustomize, namespaced, objects, shipped
from schemas import Schemas

TOOLS = OUTPUT = Path()


def kubectl() -> Path:
    return TOOLS / "lib" / "bin" / "kubectl"


def by_name(things: list[dict]) -> dict:
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in things}


def parsed(things: list[dict]) -> list[dict]:
    """With the YAML texts inside objects as trees, under `parsed`: the tests in Envoy have no reader for YAML."""
    for thing in things:
        if thing["kind"] == "ConfigMap":
            thing["parsed"] = {key: yaml.safe_load(text) for key, text in thing["data"].items()}
        elif thing["kind"] == "EnvoyFilter" and "typed_config" in (value := thing["spec"]["configPatches"][0]["patch"]["value"]):
            thing["parsed"] = yaml.safe_load(value["typed_config"]["config"]["configuration"]["value"])
        elif thing["kind"] == "EnvoyProxy":
            thing["parsed"] = yaml.safe_load(thing["spec"]["bootstrap"]["value"])
    return things


class Objects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schemas = Schemas(TOOLS)
        cls.scratch = TOOLS.parent / "scratch"
        cls.scratch.mkdir(exist_ok=True)
        cls.all = cases.all_cases(kubectl(), cls.scratch)

    def assertValid(self, things: list[dict], place: str):
        self.assertTrue(things, place)
        self.assertEqual([wrong for thing in things for wrong in self.schemas.check(thing)], [], place)

    def test_every_case_is_true_to_its_schemas(self):
        for name, things in self.all.items():
            self.assertValid(things, name)

    def test_every_yaml_file_of_objects_is_true_to_its_schemas(self):
        paths = [*(ROOT / "istio").glob("*.yaml"), *(ROOT / "envoy" / "envoy-gateway").glob("*.yaml")]
        self.assertGreaterEqual(len(paths), 7)
        for path in paths:
            self.assertValid(objects(path.read_text()), str(path))

    def test_the_schemas_would_find_mistakes(self):
        for file, steps, value in [
            ("istio/wasmplugin.yaml", ["spec", "failStrategy"], "FAIL_RELOADED"),
            ("istio/wasmplugin.yaml", ["spec", "allowOnHeadersStopIteration"], True),
            ("istio/wasmplugin.yaml", ["spec", "url"], None),
            ("istio/envoyfilter.yaml", ["spec", "configPatches"], [{"applyTo": "EXTENSION"}]),
            ("istio/httproute-services.yaml", ["spec", "rule"], []),
            ("istio/kustomize/components/live-configmaps/access.yaml", ["rules"], [{"verb": ["list"]}]),
            ("envoy/envoy-gateway/wasm-pair.yaml", ["spec", "wasm"], [{"name": "a"}]),
        ]:
            thing = shipped(file)[0]
            inner = thing
            for step in steps[:-1]:
                inner = inner[step]
            if value is None:
                del inner[steps[-1]]
            else:
                inner[steps[-1]] = value
            self.assertNotEqual(self.schemas.check(thing), [], f"{file} {steps}")
        self.assertNotEqual(self.schemas.check({"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "a"}}), [])

    def test_the_overlays_are_the_files_beside_them(self):
        for overlay in ("wasmplugin", "envoyfilter"):
            wanted = shipped(f"istio/{overlay}.yaml") + shipped("istio/buffer-limits.yaml")
            rendered = kustomize(kubectl(), ROOT / "istio" / "kustomize" / "overlays" / overlay)
            self.assertEqual(by_name(rendered), by_name(wanted), overlay)

    def test_the_limits_of_all_ways_are_the_filters_and_one_read_more(self):
        documented = (ROOT / "docs" / "limits.md").read_text()
        found = re.search(r"^ +(\d+) +=  +(\d+)  \+ +(\d+)$", documented, re.M)
        total = int(found[1])
        for name, things in self.all.items():
            numbers = set(re.findall(r"\b94\d{5}\b", json.dumps(things)))
            self.assertEqual(numbers, {str(total)}, name)

    def test_the_live_component_is_what_the_chart_renders(self):
        overlay = self.scratch / "live-overlay"
        overlay.mkdir(exist_ok=True)
        base = Path(os.path.relpath(ROOT, overlay)) / "istio" / "kustomize"
        document = {
            "namespace": "inference",
            "resources": [str(base / "overlays" / "wasmplugin")],
            "components": [str(base / "components" / "live-configmaps")],
        }
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(document))
        rendered = by_name(kustomize(kubectl(), overlay))
        values = yaml.safe_load((cases.CHART / "ci" / "istio-live-values.yaml").read_text())
        from_chart = by_name(cases.chart(values)[0])
        self.assertValid(list(rendered.values()), "live overlay")
        for key, thing in from_chart.items():
            thing["metadata"].pop("labels")
            self.assertEqual(rendered.get(key), thing, key)

    def test_every_live_variant_is_true_to_its_schemas(self):
        for via in ("proxy", "apiserver"):
            for provider in ("istio", "envoy-gateway"):
                if (via, provider) == ("apiserver", "envoy-gateway"):
                    continue
                for everywhere in (False, True):
                    values = yaml.safe_load((cases.CHART / "ci" / "istio-live-values.yaml").read_text())
                    values["provider"] = {"name": provider}
                    values["liveMappings"]["via"] = via
                    values["payloadProcessor"]["multiNamespace"] = everywhere
                    self.assertValid(cases.chart(values)[0], f"{via} {provider} {everywhere}")

    def test_the_patch_of_envoy_gateway_finds_its_filter_and_no_other(self):
        patched = ["chart-envoy-gateway-envoyfilter", "envoy-gateway-direct"]
        for name in patched:
            things = by_name(self.all[name])
            policy = things["EnvoyExtensionPolicy", "payload-processor"]
            namespace = policy["metadata"]["namespace"]
            prefix = "envoy.filters.http.wasm/envoyextensionpolicy"
            filters = [
                {"name": f"{prefix}/{namespace}/other/wasm/0", "typed_config": {"config": 1}},
                {"name": f"{prefix}/{namespace}/payload-processor/wasm/0", "typed_config": {"config": 2}},
            ]
            listener = {"default_filter_chain": {"filters": [{"typed_config": {"http_filters": filters}}]}}
            for patch in things["EnvoyPatchPolicy", "payload-processor"]["spec"]["jsonPatches"]:
                self.assertEqual(jsonpath.findall(patch["operation"]["jsonPath"], listener), [2], name)

    def test_what_ipp_replay_renders_is_true_to_its_schemas(self):
        for form in ("wasmplugin", "envoyfilter"):
            self.assertValid(objects(cases.rendered_by_replay(form, self.scratch)), form)

    def test_the_readme_attaches_with_one_command(self):
        command, values = cases.readme_values()
        self.assertEqual(command[:2], ["helm", "upgrade"])
        self.assertIn("istio/chart", command)
        things = by_name(cases.chart(values)[0])
        self.assertIn(("WasmPlugin", "payload-processor-gate"), things)

    def test_objects_are_left_for_the_tests_in_envoy(self):
        OUTPUT.mkdir(parents=True, exist_ok=True)
        for old in OUTPUT.glob("*.json"):
            old.unlink()
        for name, things in self.all.items():
            (OUTPUT / f"{name}.json").write_text(json.dumps(parsed(namespaced(things)), indent=1))
        self.assertGreaterEqual(len(list(OUTPUT.glob("*.json"))), 12)
