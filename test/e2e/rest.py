"""A bare HTTP client of a platform's API, for what kubectl hides: status codes, headers, streams."""
import base64
import contextlib
import http.client
import json
import ssl
import urllib.parse

import yaml


class Answer:
    def __init__(self, response, body):
        self.code, self.headers, self.body = response.status, response.headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.code} {self.body[:2000]!r}"


class Rest:
    """One platform's API as the admin of its kubeconfig (token=None: as nobody)."""

    def __init__(self, platform, token="", cert=None):
        conf = yaml.safe_load((platform.data / "kubeconfig").read_text())
        cluster, user = conf["clusters"][0]["cluster"], conf["users"][0]["user"]
        self.url = urllib.parse.urlsplit(cluster["server"])
        self.tls = ssl.create_default_context()
        if "certificate-authority-data" in cluster:
            self.ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        else:
            self.ca = open(cluster["certificate-authority"]).read()
        self.tls.load_verify_locations(cadata=self.ca)
        if cert:
            self.tls.load_cert_chain(*cert)
        self.token = user["token"] if token == "" else token

    def open(self, method, path, body=None, headers=None, timeout=30):
        """A connection with its response, whose body is yet to be read."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        all_headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.token:
            all_headers["Authorization"] = f"Bearer {self.token}"
        c = http.client.HTTPSConnection(self.url.hostname, self.url.port, context=self.tls, timeout=timeout)
        c.request(method, path, body, {**all_headers, **(headers or {})})
        return c, c.getresponse()

    def call(self, method, path, body=None, headers=None, code=None, timeout=30):
        c, response = self.open(method, path, body, headers, timeout)
        with contextlib.closing(c):
            answer = Answer(response, response.read())
        assert code is None or answer.code == code, str(answer)
        return answer

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    @contextlib.contextmanager
    def stream(self, path, headers=None, timeout=30):
        """The lines of a stream, each as JSON; ends with the connection."""
        c, response = self.open("GET", path, None, headers, timeout)
        with contextlib.closing(c):
            assert response.status == 200, Answer(response, response.read())
            yield (json.loads(line) for line in response if line.strip())


def databases(ns):
    return f"/apis/slipway.dev/v1/namespaces/{ns}/databases"


def members(ns):
    return f"/apis/slipway.dev/v1/namespaces/{ns}/members"


def secrets(ns):
    return f"/api/v1/namespaces/{ns}/secrets"


def unplaced(name, ns, **spec):
    """A Database that stays as it is: no host is in its zone, so that it costs no server."""
    return {"apiVersion": "slipway.dev/v1", "kind": "Database", "metadata": {"name": name, "namespace": ns},
            "spec": {"tier": "single", "highAvailability": {"zones": ["nowhere"]}, **spec}}
