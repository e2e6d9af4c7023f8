"""How a gateway gets its certificate: from `slipway up` beside it, or with a token from another machine."""
import ssl
import subprocess
import uuid

import pytest

from rest import Rest
from test_agent_api import csr


@pytest.fixture
def api(platform):
    return Rest(platform)


@pytest.fixture
def name(api):
    name = f"gw-{uuid.uuid4().hex[:8]}"
    yield name
    api.call("DELETE", f"/apis/slipway.dev/v1/gateways/{name}")


def token(api, **kw):
    return api.call("POST", "/agent/v1/tokens", {"gateway": True, **kw}, code=201).json["token"]


def join(platform, token, request, name, **kw):
    code = kw.pop("code", None)
    return Rest(platform, token=None).call(
        "POST", "/gateway/v1/join", {"token": token, "csr": request, "name": name, **kw}, code=code)


def text_of(path):
    return subprocess.run(["openssl", "x509", "-in", path, "-noout", "-subject", "-ext", "subjectAltName"],
                          check=True, capture_output=True, text=True).stdout


def test_up_issues_the_certificate_of_its_own_gateway(platform):
    folder = platform.data / "gateway"
    for file in ("gateway.crt", "gateway.key", "ca.crt"):
        assert (folder / file).stat().st_mode & 0o777 == 0o600
    text = text_of(folder / "gateway.crt")
    assert "O = slipway:gateways" in text and "CN = gateway" in text and "IP Address:127.0.0.1" in text
    assert (folder / "ca.crt").read_text() == (platform.data / "ca.crt").read_text()
    Rest(platform, token=None, cert=(folder / "gateway.crt", folder / "gateway.key")).call(
        "POST", "/gateway/v1/report", {"address": "127.0.0.1:1", "databases": []}, code=200)
    Rest(platform).call("DELETE", "/apis/slipway.dev/v1/gateways/gateway")


def test_a_token_lets_one_gateway_join_and_renew(platform, api, tmp_path, name):
    request = csr(tmp_path, name)
    t = token(api, hosts=["db.example.com"])
    answer = join(platform, t, request, name, address="127.0.9.9", code=201).json
    assert answer["name"] == name and answer["ca"] == (platform.data / "ca.crt").read_text()
    crt = tmp_path / "crt"
    crt.write_text(answer["certificate"])
    text = text_of(crt)
    assert f"CN = {name}" in text and "O = slipway:gateways" in text
    assert "DNS:db.example.com" in text and "IP Address:127.0.9.9" in text
    join(platform, t, request, f"{name}-2", code=401)
    client = Rest(platform, token=None, cert=(crt, tmp_path / f"{name}.key"))
    client.call("POST", "/gateway/v1/report", {"address": "127.0.9.9:5432"}, code=200)
    crt.write_text(client.call("POST", "/gateway/v1/renew", {"csr": request}, code=200).json["certificate"])
    assert "DNS:db.example.com" in text_of(crt)
    assert f"CN = {name}" in text_of(crt)
    client.tls.load_cert_chain(crt, tmp_path / f"{name}.key")
    client.call("POST", "/gateway/v1/report", {"address": "127.0.9.9:5432"}, code=200)


def test_a_token_is_for_what_it_says(platform, api, tmp_path, name):
    request = csr(tmp_path, name)
    host = api.call("POST", "/agent/v1/tokens", {"zone": "zone-x"}, code=201).json["token"]
    assert "for a host" in join(platform, host, request, name, code=403).json["message"]
    as_host = {"csr": request, "name": name, "zone": "zone-x", "address": "127.0.9.1"}
    answer = Rest(platform, token=None).call("POST", "/agent/v1/join", {"token": token(api), **as_host}, code=403)
    assert "for a gateway" in answer.json["message"]
    other = token(api, name="other")
    assert "not for" in join(platform, other, request, name, code=403).json["message"]
    assert "no IP address" in join(platform, other, request, "other", address="x", code=400).json["message"]
    api.call("POST", "/agent/v1/tokens", {"gateway": True, "hosts": ["a b"]}, code=400)
    api.call("POST", "/agent/v1/tokens", {"gateway": True, "hosts": ["x" * 250]}, code=400)


def test_a_host_and_a_gateway_never_share_a_name(platform, api, tmp_path, name):
    """Servers before 14 know a certificate by its name alone."""
    request = csr(tmp_path, name)
    assert "there is a Host" in join(platform, token(api), request, "zone-a", code=409).json["message"]
    join(platform, token(api), request, name, code=201)
    host = api.call("POST", "/agent/v1/tokens", {"zone": "zone-x"}, code=201).json["token"]
    answer = Rest(platform, token=None).call("POST", "/agent/v1/join", {
        "token": host, "csr": request, "name": name, "zone": "zone-x", "address": "127.0.9.1"}, code=409)
    assert "there is a Gateway" in answer.json["message"]


def test_a_renewal_is_for_the_gateway_s_own_name_alone(platform, api, tmp_path, name):
    request = csr(tmp_path, name)
    Rest(platform, token=None).call("POST", "/gateway/v1/renew", {"csr": request}, code=401)
    api.call("POST", "/gateway/v1/renew", {"csr": request}, code=403)


def test_the_command_line_makes_a_token_for_a_gateway(platform, api, tmp_path, name):
    made = platform.slipway("token", "create", "--gateway", "--name", name, "--host", "localhost")
    assert f"slipway gateway --join {Rest(platform).url.geturl()}" in made.err
    join(platform, made.out.strip(), csr(tmp_path, name), name, code=201)
    assert ssl.PEM_HEADER in (platform.data / "ca.crt").read_text()
