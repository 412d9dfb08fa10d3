"""The read-only way to the ConfigMaps: the arguments that the chart renders, on a real `kubectl proxy`."""

import http.client
import http.server
import socket
import subprocess
import threading
import time
import unittest
from pathlib import Path

import yaml

import cases

TOOLS = OUTPUT = Path()


class Api(http.server.BaseHTTPRequestHandler):
    """Stands for the API service: answers everything, and notes what it was asked."""

    asked = []

    def answer(self):
        self.asked.append((self.command, self.path))
        body = b'{"kind": "ConfigMapList", "apiVersion": "v1", "items": []}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=cls.api.serve_forever, daemon=True).start()
        values = yaml.safe_load((cases.CHART / "ci" / "istio-live-values.yaml").read_text())
        deployment = next(it for it in cases.chart(values)[0] if it["kind"] == "Deployment")
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        cls.port = free_port()
        # The two that say where it listens; all others as they are.
        here = {"--address=0.0.0.0": "--address=127.0.0.1", "--port=8001": f"--port={cls.port}"}
        assert here.keys() <= set(arguments)
        server = f"--server=http://127.0.0.1:{cls.api.server_port}"
        command = [TOOLS / "lib" / "bin" / "kubectl", server, *(here.get(it, it) for it in arguments)]
        environment = {"PATH": "/nonexistent", "HOME": str(TOOLS), "KUBECONFIG": "/dev/null"}
        cls.proxy = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", cls.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        cls.tearDownClass()
        raise AssertionError("kubectl proxy does not listen")

    @classmethod
    def tearDownClass(cls):
        cls.proxy.terminate()
        cls.proxy.wait(timeout=10)
        cls.api.shutdown()
        cls.api.server_close()

    def ask(self, method: str, path: str, host: str = "payload-processor-configmaps.inference.svc.cluster.local") -> int:
        Api.asked.clear()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={"host": host})
        status = connection.getresponse().status
        connection.close()
        return status

    LIST = "/api/v1/namespaces/inference/configmaps"

    def test_the_list_with_its_selector_passes(self):
        path = f"{self.LIST}?labelSelector=inference.llm-d.ai%2Fipp-managed%3Dtrue"
        self.assertEqual(self.ask("GET", path), 200)
        self.assertEqual(Api.asked, [("GET", path)])
        self.assertEqual(self.ask("GET", path, "payload-processor-configmaps.inference.svc.cluster.local:8001"), 200)

    def test_nothing_else_passes(self):
        for method, path in [
            ("GET", "/"),
            ("GET", "/api/v1/namespaces/inference/secrets"),
            ("GET", "/api/v1/namespaces/kube-system/configmaps"),
            ("GET", "/api/v1/configmaps"),
            ("GET", f"{self.LIST}/one"),
            ("GET", f"{self.LIST}/../secrets"),
            ("GET", "/api/v1/namespaces/inference/pods/a/exec"),
            ("POST", self.LIST),
            ("PUT", self.LIST),
            ("PATCH", self.LIST),
            ("DELETE", self.LIST),
        ]:
            status = self.ask(method, path)
            self.assertNotIn(status, range(200, 300), f"{method} {path}")
            self.assertEqual(Api.asked, [], f"{method} {path}")

    def test_another_host_does_not_pass(self):
        self.assertEqual(self.ask("GET", self.LIST, "localhost"), 403)
        self.assertEqual(Api.asked, [])
