"""Written from the protocol's specification (inference_rest.md) and its extensions' pages, then
checked again with a client that is not ours."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from discern import __version__
from discern.catalog.store import Store
from tests.doors.servers import RunningServer, model_server
from tests.fakes.bundles import sentiment_store, write_sentiment_bundle
from tests.needed import needed_module

INFER = "/v2/models/words/infer"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("home")
    sentiment_store(home)
    Store(home).activate("words")
    with model_server(home, repository="true") as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as made:
        yield made


def text_input(*texts: str, **more: Any) -> dict[str, Any]:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}
    return tensor | more


def outputs_of(response: httpx.Response) -> dict[str, dict[str, Any]]:
    assert response.status_code == 200, response.text
    return {output["name"]: output for output in response.json()["outputs"]}


def test_health_and_server_metadata_have_the_protocols_shapes(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json()["live"] is True
    ready = client.get("/v2/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    for path in ("/v2", "/v2/"):
        metadata = client.get(path).json()
        assert metadata.keys() == {"name", "version", "extensions"}
        assert metadata["version"] == __version__
        assert {"binary_tensor_data", "statistics", "model_repository"} <= set(
            metadata["extensions"]
        )


@pytest.mark.parametrize("version", ["", "/versions/1.0.0"])
def test_model_metadata_readiness_and_inference_with_and_without_a_version(
    client: httpx.Client, version: str
) -> None:
    path = f"/v2/models/words{version}"
    metadata = client.get(path).json()
    assert metadata["name"] == "words"
    assert metadata["versions"] == ["1.0.0"]
    assert metadata["platform"]
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert metadata["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "scores", "datatype": "FP32", "shape": [-1, 3]},
    ]
    assert client.get(f"{path}/ready").json() == {"name": "words", "ready": True}
    answer = client.post(f"{path}/infer", json={"inputs": [text_input("good good", "bad bad")]})
    assert answer.json()["model_name"] == "words"
    assert answer.json()["model_version"] == "1.0.0"
    outputs = outputs_of(answer)
    assert outputs["label"]["data"] == ["positive", "negative"]
    assert (outputs["label"]["datatype"], outputs["label"]["shape"]) == ("BYTES", [2])
    assert (outputs["scores"]["datatype"], outputs["scores"]["shape"]) == ("FP32", [2, 3])
    assert len(outputs["scores"]["data"]) == 6  # flat, in row-major order
    assert sum(outputs["scores"]["data"][:3]) == pytest.approx(1)


def test_the_id_comes_back_and_only_the_outputs_asked_for(client: httpx.Client) -> None:
    body = {"id": "42", "inputs": [text_input("good")], "outputs": [{"name": "scores"}]}
    answer = client.post(INFER, json=body)
    assert answer.json()["id"] == "42"
    assert outputs_of(answer).keys() == {"scores"}
    assert "id" not in client.post(INFER, json={"inputs": [text_input("good")]}).json()


def test_nested_data_and_a_column_of_texts_are_accepted(client: httpx.Client) -> None:
    tensor = text_input(shape=[2, 1], data=[["good"], ["bad"]])
    assert outputs_of(client.post(INFER, json={"inputs": [tensor]}))["label"]["data"] == [
        "positive",
        "negative",
    ]


def test_binary_tensors_in_and_out_follow_the_header_length(client: httpx.Client) -> None:
    elements = [b"good good", "bad 👎".encode()]
    data = b"".join(struct.pack("<I", len(element)) + element for element in elements)
    size = {"binary_data_size": len(data)}
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "parameters": size}
    outputs = [{"name": "scores", "parameters": {"binary_data": True}}, {"name": "label"}]
    head = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    answer = client.post(
        INFER, content=head + data, headers={"Inference-Header-Content-Length": str(len(head))}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    written = {item["name"]: item for item in json.loads(answer.content[:length])["outputs"]}
    assert written["label"]["data"] == ["positive", "negative"]
    assert "data" not in written["scores"]
    told = written["scores"]["parameters"]["binary_data_size"]
    scores = np.frombuffer(answer.content[length:], "<f4").reshape(2, 3)
    assert told == scores.nbytes == len(answer.content) - length
    assert scores.sum(axis=1) == pytest.approx([1, 1])


def test_all_outputs_are_binary_when_the_request_says_so_unless_one_says_otherwise(
    client: httpx.Client,
) -> None:
    body = {
        "inputs": [text_input("good")],
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "label", "parameters": {"binary_data": False}}, {"name": "scores"}],
    }
    answer = client.post(INFER, json=body)
    head = json.loads(answer.content[: int(answer.headers["inference-header-content-length"])])
    assert [("data" in output) for output in head["outputs"]] == [True, False]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ([], 400),
        (None, 400),
        ({"inputs": []}, 400),
        ({"inputs": "text"}, 400),
        ({"inputs": [3]}, 400),
        ({"inputs": [{"name": "text"}]}, 400),
        ({"inputs": [text_input("good", name="words")]}, 400),
        ({"inputs": [text_input("good", datatype="INT64")]}, 400),
        ({"inputs": [text_input("good", shape=[2])]}, 400),
        ({"inputs": [text_input("good", shape=[-1])]}, 400),
        ({"inputs": [text_input("good", shape=[True])]}, 400),
        ({"inputs": [text_input("good", shape="1")]}, 400),
        ({"inputs": [text_input("good", shape=[1] * 20)]}, 400),
        ({"inputs": [text_input("good", shape=[2**70, 2**70])]}, 400),
        ({"inputs": [text_input("good", data=[3])]}, 400),
        ({"inputs": [text_input("good", data="good")]}, 400),
        ({"inputs": [text_input("good", data=[["good"]])]}, 400),
        ({"inputs": [text_input("a", "b", shape=[1, 2])]}, 400),
        ({"inputs": [text_input("good"), text_input("bad")]}, 400),
        ({"inputs": [text_input(" ")]}, 400),
        ({"inputs": [text_input("good")], "outputs": [{"name": "mood"}]}, 400),
        ({"inputs": [text_input("good")], "outputs": [3]}, 400),
        ({"inputs": [text_input("good")], "id": 3}, 400),
        ({"inputs": [text_input("good")], "parameters": []}, 200),
        ({"inputs": [text_input("good")], "parameters": [1]}, 400),
        ({"inputs": [text_input("good")], "parameters": {"timeout": "soon"}}, 400),
        ({"inputs": [text_input("good", parameters={"binary_data_size": 9})]}, 400),
        ({"inputs": [text_input("good", parameters={"binary_data_size": -1})]}, 400),
        ({"inputs": [text_input("good", parameters={"shared_memory_region": "x"})]}, 400),
        ({"inputs": [text_input("x" * 100_001)]}, 413),
        ({"inputs": [text_input(*["x"] * 1001)]}, 413),
    ],
)
def test_every_bad_request_is_refused_in_the_protocols_way(
    client: httpx.Client, body: object, status: int
) -> None:
    answer = client.post(INFER, json=body)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json().keys() == {"error"}
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("length", ["x", "-1", "99999", "3", "9" * 5_000, "0" * 5_000 + "3"])
def test_a_header_length_that_cannot_be_is_refused(client: httpx.Client, length: str) -> None:
    answer = client.post(
        INFER,
        content=json.dumps({"inputs": [text_input("good")]}),
        headers={"Inference-Header-Content-Length": length},
    )
    assert answer.status_code == 400
    assert answer.json().keys() == {"error"}


def test_unknown_models_and_versions_are_errors_of_the_protocol(client: httpx.Client) -> None:
    for path in ("/v2/models/nope", "/v2/models/words/versions/9", "/v2/models/nope/ready"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json().keys() == {"error"}
    body = {"inputs": [text_input("good")]}
    assert client.post("/v2/models/nope/infer", json=body).status_code == 404
    # Known, but not loaded: it exists and is not ready.
    assert client.get("/v2/models/sentiment-en/ready").json() == {
        "name": "sentiment-en",
        "ready": False,
    }
    for answer in (
        client.post("/v2/models/sentiment-en/infer", json=body),
        client.get("/v2/models/sentiment-en/ready"),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_unknown_paths_and_methods_are_errors_of_the_protocol(client: httpx.Client) -> None:
    for path in ("/v2/nothing", "/v2/models/words/nothing/here", "/v2/models/", "/v2/health"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert isinstance(answer.json()["error"], str)
    refused = client.get(INFER)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert isinstance(refused.json()["error"], str)


def test_nothing_is_run_for_an_output_that_there_is_not(client: httpx.Client) -> None:
    def executions() -> int:
        [model] = client.get("/v2/models/words/stats").json()["model_stats"]
        count: int = model["execution_count"]
        return count

    before = executions()
    body = {"inputs": [text_input("good")], "outputs": [{"name": "label"}, {"name": "mood"}]}
    assert client.post(INFER, json=body).status_code == 400
    assert executions() == before


def test_statistics_count_requests_items_and_batches(client: httpx.Client) -> None:
    def stats() -> dict[str, Any]:
        [model] = client.get("/v2/models/words/stats").json()["model_stats"]
        assert model["name"] == "words"
        assert model["version"] == "1.0.0"
        return dict(model)

    before = stats()
    client.post(INFER, json={"inputs": [text_input("good", "bad", "so")]})
    after = stats()
    assert after["inference_count"] - before["inference_count"] == 3
    assert 1 <= after["execution_count"] - before["execution_count"] <= 3
    success = after["inference_stats"]["success"]
    assert success["count"] - before["inference_stats"]["success"]["count"] == 1
    assert success["ns"] > 0
    assert (
        sum(b["batch_size"] * b["compute_infer"]["count"] for b in after["batch_stats"])
        == (after["inference_count"])
    )
    assert client.get("/v2/models/stats").json()["model_stats"][0]["name"] == "words"


def test_a_client_of_another_project_drives_every_part(server: RunningServer) -> None:
    tritonclient = needed_module("tritonclient.http")
    triton = tritonclient.InferenceServerClient(server.url.removeprefix("http://"))
    try:
        assert triton.is_server_live()
        assert triton.is_server_ready()
        assert triton.is_model_ready("words")
        assert triton.is_model_ready("words", "1.0.0")
        assert not triton.is_model_ready("nope")
        assert triton.get_server_metadata()["name"] == "discern"
        assert triton.get_model_metadata("words")["inputs"][0]["datatype"] == "BYTES"
        texts = np.array(["good good", "bad bad"], dtype=object)
        for as_binary in (True, False):
            tensor = tritonclient.InferInput("text", [2], "BYTES")
            tensor.set_data_from_numpy(texts, binary_data=as_binary)
            wanted = [
                tritonclient.InferRequestedOutput(name, binary_data=as_binary)
                for name in ("label", "scores")
            ]
            for outputs in (None, wanted):
                result = triton.infer("words", [tensor], outputs=outputs, request_id="7")
                labels = [_as_text(label) for label in result.as_numpy("label")]
                assert labels == ["positive", "negative"]
                assert result.as_numpy("scores").shape == (2, 3)
                assert result.as_numpy("scores").dtype == np.float32
                assert result.get_response()["id"] == "7"
        packed = triton.infer("words", [tensor], request_compression_algorithm="gzip")
        assert packed.as_numpy("scores").shape == (2, 3)
        with pytest.raises(Exception, match="no model 'nope'"):
            triton.infer("nope", [tensor])
        assert triton.get_inference_statistics("words")["model_stats"][0]["inference_count"] > 0
    finally:
        triton.close()


def test_models_are_loaded_replaced_and_unloaded_by_that_client(tmp_path: Path) -> None:
    tritonclient = needed_module("tritonclient.http")
    sentiment_store(tmp_path)
    Store(tmp_path).activate("words")
    with model_server(tmp_path, repository="true") as server:
        triton = tritonclient.InferenceServerClient(server.url.removeprefix("http://"))
        index = {item["name"]: item["state"] for item in triton.get_model_repository_index()}
        assert index["words"] == "READY"
        write_sentiment_bundle(tmp_path / "models/words/1.1.0", version="1.1.0")
        triton.load_model("words")
        assert triton.get_model_metadata("words")["versions"] == ["1.1.0"]
        broken = write_sentiment_bundle(tmp_path / "models/words/2.0.0", version="2.0.0")
        (broken.folder / "model.onnx").write_bytes(b"\0" * 502)
        with pytest.raises(Exception, match="cannot be loaded"):
            triton.load_model("words")
        assert triton.is_model_ready("words", "1.1.0")  # a failed load keeps the old one serving
        assert triton.is_server_ready()
        with pytest.raises(Exception, match="config"):
            triton.load_model("words", config="{}")
        triton.unload_model("words")
        assert not triton.is_model_ready("words")
        assert not triton.is_server_ready()  # never with zero models
        triton.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8600"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_web_page_cannot_load_or_unload_on_a_server_without_a_token(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    for path in ("index", "models/words/unload", "models/words/load"):
        answer = client.post(f"/v2/repository/{path}", headers=headers)
        assert answer.status_code == 403
        assert "token" in answer.json()["error"]
    assert client.get("/v2/models/words/ready").json()["ready"]


def test_who_has_the_token_may_load_from_a_page(tmp_path: Path) -> None:
    sentiment_store(tmp_path)
    Store(tmp_path).activate("words")
    with (
        model_server(tmp_path, repository="true", token="a token of 16 and more") as server,
        server.client() as client,
    ):
        page = {"Origin": "http://elsewhere.test"}
        assert client.post("/v2/repository/models/words/load", headers=page).status_code == 200


def test_the_repository_is_closed_unless_a_setting_opens_it(tmp_path: Path) -> None:
    sentiment_store(tmp_path)
    Store(tmp_path).activate("words")
    with model_server(tmp_path) as server, server.client() as client:
        for path in ("index", "models/words/unload", "models/words/load"):
            answer = client.post(f"/v2/repository/{path}")
            assert answer.status_code == 404
            assert "DISCERN_MODEL_SERVER_REPOSITORY" in answer.json()["error"]
        assert "model_repository" not in client.get("/v2").json()["extensions"]
        assert client.get("/v2/models/words/ready").json()["ready"]


def _as_text(label: bytes | str) -> str:
    return label.decode() if isinstance(label, bytes) else label
