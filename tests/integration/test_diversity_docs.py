"""The requests in docs/diversity.md are answered, by a client that knows the service through reflection alone."""

import json
import re
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.support.diversity_servers import Lite, Service, running

PAGE = (Path(__file__).parents[2] / "docs" / "diversity.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"grpcurl -plaintext -d '(.+)' 127\.0\.0\.1:9000 (\S+)/(\S+)")


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    lite = Lite(folder)
    service = Service(folder, lite.uri)
    with running(lite, service), grpc.insecure_channel(service.address) as opened:
        yield opened


def test_every_request_of_the_page(channel):
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    answers = {}
    for data, service, name in COMMAND.findall(PAGE):
        method = pool.FindServiceByName(service).FindMethodByName(name)
        request, response = (message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type))
        messages = [json_format.ParseDict(each, request()) for each in _objects(data)]
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        call = getattr(channel, kind)(f"/{service}/{name}", request.SerializeToString, response.FromString)
        answer = call(iter(messages) if method.client_streaming else messages[0], timeout=20)
        answers[name] = [json_format.MessageToDict(one) for one in (answer if method.server_streaming else [answer])]
    assert set(answers) == {"Commit", "Score", "FindNeighbors", "SampleReplay", "GetStats", "Rollback", "ListRuns", "DeleteRun"}
    assert answers["Score"][0]["scores"][0]["nearest"]["item"]["question"] == "What is 2 + 3?"
    assert answers["Rollback"][0]["dropped"] == [1]


def _objects(data: str) -> list[dict]:
    """The JSON objects that follow each other in a text."""
    found, decoder = [], json.JSONDecoder()
    while data := data.strip():
        one, end = decoder.raw_decode(data)
        found.append(one)
        data = data[end:]
    return found


def test_the_python_of_the_page(channel, tmp_path, monkeypatch, capsys):
    [code] = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    address = channel._channel.target().decode().removeprefix("dns:///").removeprefix("ipv4:")
    exec(compile(code.replace("127.0.0.1:9000", address), "diversity.md", "exec"), {})
    assert capsys.readouterr().out.split()[-5:] == ["What", "is", "2", "+", "3?"]
