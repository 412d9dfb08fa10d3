"""The chart: it lints, renders what it should, refuses what cannot work, and its documents are true."""

import copy
import json
import os
import re
import unittest
from pathlib import Path

import helm_python
import yaml

import values_table
from cases import CHART, NAMESPACE, chart, values_files

TOOLS = OUTPUT = Path()
DIGEST = "sha256:" + "0" * 63 + "1"
BASE = {
    "payloadProcessor": {"image": {"registry": "registry.example", "digest": DIGEST}},
    "provider": {"name": "istio"},
}


def merged(base: dict, over: dict) -> dict:
    """As Helm merges values: maps into maps, anything else replaced."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def kinds(things: list[dict]) -> list[tuple[str, str]]:
    return sorted((thing["kind"], thing["metadata"]["name"]) for thing in things)


def config_of(thing: dict) -> dict:
    """The PayloadProcessorConfig of a WasmPlugin."""
    return thing["spec"]["pluginConfig"]


class Lint(unittest.TestCase):
    def test_helm_lint_finds_nothing_with_any_values(self):
        for path in [None, *values_files()]:
            values = yaml.safe_load(path.read_text()) if path else None
            report = helm_python.chart.lint(CHART, values, strict=True, namespace=NAMESPACE)
            grave = [it for it in report["messages"] if it["severity"] > 1]
            self.assertEqual((grave, report["errors"]), ([], []), path)

    def test_helm_lint_would_find_a_mistake(self):
        report = helm_python.chart.lint(CHART, {"provider": {"mode": "other"}}, strict=True)
        self.assertTrue(report["errors"] or [it for it in report["messages"] if it["severity"] > 1])


class Rendering(unittest.TestCase):
    def render(self, values: dict) -> list[dict]:
        return chart(merged(BASE, values))[0]

    def test_every_provider_and_mode_has_its_objects(self):
        wanted = {
            "istio-wasmplugin": ["ConfigMap", "EnvoyFilter", "WasmPlugin", "WasmPlugin"],
            "istio-envoyfilter": ["ConfigMap", "EnvoyFilter", "EnvoyFilter"],
            "envoy-gateway-wasmplugin": ["ClientTrafficPolicy", "EnvoyExtensionPolicy", "EnvoyProxy"],
            "envoy-gateway-envoyfilter": ["ClientTrafficPolicy", "EnvoyExtensionPolicy", "EnvoyPatchPolicy", "EnvoyProxy"],
            "none": ["ConfigMap"],
        }
        seen = {}
        for path in values_files():
            things = chart(yaml.safe_load(path.read_text()))[0]
            if "live" not in path.stem and "models" not in path.stem:
                seen[path.stem.removesuffix("-values")] = [kind for kind, _ in kinds(things)]
        self.assertEqual(seen, wanted)

    def test_reader_and_gate_differ_in_role_name_and_priority_only(self):
        values = {"payloadProcessor": {"modelMappings": [{"baseModel": "a", "adapters": ["b"]}]}}
        pair = [thing for thing in self.render(values) if thing["kind"] == "WasmPlugin"]
        pair.sort(key=lambda thing: -thing["spec"]["priority"])
        self.assertEqual([config_of(thing)["proxyWasm"]["role"] for thing in pair], ["reader", "gate"])
        self.assertEqual([thing["spec"]["priority"] for thing in pair], [20, 10])
        for thing in pair:
            self.assertNotIn("phase", thing["spec"])
            self.assertEqual(thing["spec"]["url"], f"oci://registry.example/payload-processor@{DIGEST}")
            del config_of(thing)["proxyWasm"]["role"], thing["spec"]["priority"]
            del thing["spec"]["pluginName"], thing["metadata"]["name"]
        self.assertEqual(pair[0], pair[1])

    def test_a_custom_config_goes_through_whole_and_may_repeat_its_envelope(self):
        config = {
            "apiVersion": "llm-d.ai/v1alpha1",
            "kind": "PayloadProcessorConfig",
            "plugins": [{"type": "body-field-to-header", "parameters": {"fieldName": "user", "headerName": "X-User"}}],
            "profiles": [{"name": "p", "plugins": {"request": [{"pluginRef": "body-field-to-header"}]}}],
            "proxyWasm": {"paths": ["/v1/"], "requestBody": {"maxBytes": 1000000}, "gateTimeout": "10s"},
        }
        bare = {key: value for key, value in config.items() if key not in ("apiVersion", "kind")}
        for written in (config, bare):
            for thing in self.render({"payloadProcessor": {"customConfig": written}}):
                if thing["kind"] == "WasmPlugin":
                    role = config_of(thing)["proxyWasm"].pop("role")
                    self.assertEqual(config_of(thing), config, role)

    def test_mappings_are_put_into_the_plugin_of_a_custom_config(self):
        config = {"plugins": [{"type": "base-model-to-header", "name": "base", "parameters": {"unknown": "reject"}}]}
        mappings = [{"baseModel": "a", "adapters": ["b"]}]
        values = {"payloadProcessor": {"customConfig": config, "modelMappings": mappings}}
        plugin = config_of(next(it for it in self.render(values) if it["kind"] == "WasmPlugin"))["plugins"][0]
        self.assertEqual(plugin["parameters"], {"unknown": "reject", "mappings": mappings})

    def rendered_config(self, processor: dict) -> dict:
        plugin = next(it for it in self.render({"payloadProcessor": processor}) if it["kind"] == "WasmPlugin")
        return config_of(plugin)

    def test_models_become_the_parameters_of_the_data_source_in_place_of_its_path(self):
        models = [
            {"name": "a", "pricing": {"inputPerMillion": 2.5, "outputPerMillion": 0}, "capacity": 4},
            {"name": "b", "attributes": {"quality": 62, "region": "eu", "tags": ["x"]}},
            {"name": "c", "pricing": {"outputPerMillion": 7.5}},
        ]
        groups = [{"name": "fast", "models": ["a", "b"]}]
        wanted = {
            "models": [
                {"name": "a", "pricing": {"input_per_million": 2.5, "output_per_million": 0}, "capacity": 4},
                models[1],
                {"name": "c", "pricing": {"output_per_million": 7.5}},
            ],
            "groups": groups,
        }
        own = {"type": "model-config-datasource", "name": "own", "parameters": {"modelsPath": "/config/models.json"}}
        other = {"type": "model-config-datasource", "name": "other", "parameters": {"models": [{"name": "d"}]}}
        layer = {"datasources": [{"pluginRef": "own"}, {"pluginRef": "other"}]}
        config = self.rendered_config(
            {"customConfig": {"plugins": [own, other], "datalayer": layer}, "models": {"models": models, "groups": groups}}
        )
        self.assertEqual(config["plugins"], [own | {"parameters": wanted}, other])
        self.assertEqual(config["datalayer"], layer)

    def test_models_get_a_data_source_where_the_configuration_has_none(self):
        added = {"type": "model-config-datasource", "parameters": {"models": [{"name": "a"}]}}
        reference = {"pluginRef": "model-config-datasource"}
        custom = {"plugins": [{"type": "x"}], "datalayer": {"extractors": [{"pluginRef": "x"}]}}
        for written, layer in ((custom, {"extractors": [{"pluginRef": "x"}], "datasources": [reference]}), ({}, {"datasources": [reference]})):
            config = self.rendered_config({"customConfig": written, "models": {"models": [{"name": "a"}]}})
            self.assertEqual(config["plugins"][-1], added)
            self.assertEqual(config["datalayer"], layer)
        self.assertNotIn("datalayer", self.rendered_config({}))

    def test_the_notes_say_whether_anything_chooses_among_the_models(self):
        example = yaml.safe_load((CHART / "ci" / "istio-models-values.yaml").read_text())
        self.assertIn("clients may name one of 2 models", chart(example)[1])
        del example["payloadProcessor"]["customConfig"]
        self.assertIn("nothing chooses among them", chart(example)[1])
        self.assertNotIn("* Models", chart(BASE)[1])

    def test_the_default_configuration_is_the_built_in_one(self):
        source = (CHART.parents[1] / "docs" / "configuration.md").read_text()
        shown = re.search(r"stands for this one:\n\n```yaml\n(.*?)```", source, re.S)[1]
        shipped = yaml.safe_load((CHART / "files" / "default-config.yaml").read_text())
        self.assertEqual(shipped, yaml.safe_load(shown))

    def test_a_selector_replaces_the_gateway(self):
        for mode in ("wasmplugin", "envoyfilter"):
            values = {"provider": {"mode": mode}, "inferenceGateway": {"selector": {"istio": "ingressgateway"}}}
            for thing in self.render(values):
                self.assertNotIn("targetRefs", thing["spec"])
                if thing["kind"] == "WasmPlugin":
                    self.assertEqual(thing["spec"]["selector"], {"matchLabels": {"istio": "ingressgateway"}})
                else:
                    self.assertEqual(thing["spec"]["workloadSelector"], {"labels": {"istio": "ingressgateway"}})

    def test_the_place_of_the_envoyfilter_can_be_chosen(self):
        anchor = {"operation": "INSERT_BEFORE", "anchorSubFilter": "envoy.filters.http.ext_proc"}
        values = {"provider": {"mode": "envoyfilter", "istio": {"envoyFilter": anchor}}}
        direct = next(it for it in self.render(values) if it["metadata"]["name"] == "payload-processor")
        patch = direct["spec"]["configPatches"][1]
        self.assertEqual(patch["patch"]["operation"], "INSERT_BEFORE")
        subfilter = patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]
        self.assertEqual(subfilter, {"name": "envoy.filters.http.ext_proc"})

    def test_buffer_limits_can_stand_on_the_listener_or_be_left_out(self):
        patches = self.render({"bufferLimits": {"istio": "listener"}})[0]["spec"]["configPatches"]
        self.assertEqual(patches[0]["patch"]["value"], {"per_connection_buffer_limit_bytes": 9437184})
        self.assertEqual([kind for kind, _ in kinds(self.render({"bufferLimits": {"enabled": False}}))], ["WasmPlugin"] * 2)

    def test_a_tag_serves_where_there_is_no_digest(self):
        image = {"digest": "", "tag": "v1", "pullPolicy": "Always", "pullSecret": "keys"}
        spec = next(it for it in self.render({"payloadProcessor": {"image": image}}) if it["kind"] == "WasmPlugin")["spec"]
        self.assertEqual(spec["url"], "oci://registry.example/payload-processor:v1")
        self.assertEqual((spec["imagePullPolicy"], spec["imagePullSecret"]), ("Always", "keys"))

    def test_the_notes_say_what_the_values_leave_to_do(self):
        notes = chart(merged(BASE, {"stats": {"enabled": True}}))[1]
        self.assertIn("kind: ConfigMap, name: payload-processor-gateway-options", notes)
        self.assertNotIn("no digest", notes)
        notes = chart(merged(BASE, {"provider": {"mode": "envoyfilter"}, "payloadProcessor": {"image": {"digest": "", "tag": "v1"}}}))[1]
        self.assertIn("has a tag and no digest", notes)
        self.assertIn("Needs Istio 1.28", notes)
        self.assertIn("nothing is attached", chart({})[1])


class Live(unittest.TestCase):
    def things(self, values: dict) -> dict:
        rendered = chart(merged(merged(BASE, {"liveMappings": {"enabled": True}}), values))[0]
        return {(thing["kind"], thing["metadata"]["name"]): thing for thing in rendered}

    def source(self, things: dict) -> dict:
        plugins = config_of(things["WasmPlugin", "payload-processor-reader"])["plugins"]
        return next(it for it in plugins if it["type"] == "base-model-to-header")["parameters"]["source"]

    def test_the_proxy_may_list_configmaps_of_the_namespace_and_nothing_else(self):
        things = self.things({})
        rules = things["Role", "payload-processor-configmaps"]["rules"]
        self.assertEqual(rules, [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])
        self.assertNotIn("ClusterRole", {kind for kind, _ in things})
        self.assertEqual(
            self.source(things),
            {
                "cluster": "outbound|8001||payload-processor-configmaps.inference.svc.cluster.local",
                "authority": "payload-processor-configmaps.inference.svc.cluster.local",
                "path": "/api/v1/namespaces/inference/configmaps?labelSelector=inference.llm-d.ai%2Fipp-managed%3Dtrue",
                "interval": "10s",
                "timeout": "5s",
            },
        )

    def test_only_the_gateway_reaches_the_proxy(self):
        policies = {
            "istio": [{"podSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": "inference-gateway"}}}],
            "envoy-gateway": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "envoy-gateway-system"}},
                    "podSelector": {
                        "matchLabels": {
                            "gateway.envoyproxy.io/owning-gateway-name": "inference-gateway",
                            "gateway.envoyproxy.io/owning-gateway-namespace": "inference",
                        }
                    },
                }
            ],
        }
        for provider, sources in policies.items():
            spec = self.things({"provider": {"name": provider}})["NetworkPolicy", "payload-processor-configmaps"]["spec"]
            self.assertEqual(spec["ingress"], [{"from": sources, "ports": [{"port": 8001}]}], provider)
            self.assertEqual(spec["policyTypes"], ["Ingress"])

    def test_all_namespaces_need_a_cluster_role(self):
        things = self.things({"payloadProcessor": {"multiNamespace": True}})
        self.assertIn(("ClusterRole", "inference-payload-processor-configmaps"), things)
        self.assertTrue(self.source(things)["path"].startswith("/api/v1/configmaps?"))

    def test_the_api_service_directly(self):
        things = self.things({"liveMappings": {"via": "apiserver"}})
        self.assertNotIn("Deployment", {kind for kind, _ in things})
        source = self.source(things)
        self.assertEqual(source["cluster"], "outbound|443||kubernetes.default.svc.cluster.local")
        self.assertEqual(source["headers"], {"authorization": "Bearer ${IPP_API_TOKEN}"})
        plugin = things["WasmPlugin", "payload-processor-reader"]["spec"]
        self.assertEqual(plugin["vmConfig"], {"env": [{"name": "IPP_API_TOKEN", "valueFrom": "HOST"}]})
        subject = things["RoleBinding", "payload-processor-configmaps"]["subjects"][0]
        self.assertEqual(subject["name"], "inference-gateway-istio")
        tls = things["DestinationRule", "payload-processor-apiserver"]["spec"]["trafficPolicy"]["tls"]
        self.assertEqual(tls["mode"], "SIMPLE")

    def test_envoy_gateway_gets_a_cluster_for_it(self):
        things = self.things({"provider": {"name": "envoy-gateway"}})
        patch = things["EnvoyPatchPolicy", "payload-processor"]["spec"]["jsonPatches"][0]
        wasm = things["EnvoyExtensionPolicy", "payload-processor"]["spec"]["wasm"]
        for entry in wasm:
            source = entry["config"]["plugins"][1]["parameters"]["source"]
            self.assertEqual(source["cluster"], patch["operation"]["value"]["name"])


class Refused(unittest.TestCase):
    def test_values_that_cannot_work_are_refused_with_a_reason(self):
        cases = yaml.safe_load((Path(__file__).parent / "refused.yaml").read_text())
        self.assertGreater(len(cases), 20)
        for case in cases:
            with self.assertRaises(helm_python.errors.HelmError, msg=case) as caught:
                chart(merged(BASE, case["values"]))
            self.assertIn(case["message"], str(caught.exception))

    def test_every_retired_value_has_a_case(self):
        template = (CHART / "templates" / "validate.yaml").read_text()
        retired = re.findall(r'^  "(\w+)" "', template, re.M)
        cases = yaml.safe_load((Path(__file__).parent / "refused.yaml").read_text())
        tried = {key for case in cases for key in case["values"].get("payloadProcessor", {})}
        self.assertGreater(len(retired), 5)
        self.assertLessEqual(set(retired), tried)


class Documents(unittest.TestCase):
    def test_the_table_of_values_is_that_of_values_yaml(self):
        wanted = values_table.readme()
        path = CHART / "README.md"
        if os.environ.get("UPDATE_DOCS"):
            path.write_text(wanted)
        self.assertEqual(path.read_text(), wanted, "UPDATE_DOCS=1 cargo xtask test attach writes it")

    def test_labels_and_buckets_are_those_of_multi_pool(self):
        stats = yaml.safe_load((CHART / "values.yaml").read_text())["stats"]
        shipped = yaml.safe_load((CHART.parents[1] / "envoy" / "multi-pool.yaml").read_text())["stats_config"]
        self.assertEqual(stats["tags"], [tag["tag_name"] for tag in shipped["stats_tags"]])
        buckets = {it["match"]["suffix"]: it["buckets"] for it in shipped["histogram_bucket_settings"]}
        self.assertEqual({it["metric"]: it["buckets"] for it in stats["histogramBuckets"]}, buckets)

    def test_every_value_has_a_description_and_a_schema(self):
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        schema = json.loads((CHART / "values.schema.json").read_text())
        described = {path for path, _, _ in values_table.rows()}
        self.assertEqual(described, values_table.leaves(values))
        self.assertEqual(described, values_table.schema_leaves(schema))
