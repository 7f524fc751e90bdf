"""The server as a process: how soon it is ready, and that it never outlives its parent."""

from pathlib import Path

import grpc
import psutil
from tests.support.inference_serving import Process

from rdiverse.runs.lifeline import held_lifeline

LOCAL = Path(__file__).parents[2] / "configs" / "local.yaml"


def test_a_server_of_the_nano_model_is_light_soon_ready_and_ends_with_its_parent(tmp_path):
    with held_lifeline(tmp_path / "lifeline") as environment:
        server = Process("solver", LOCAL, environment)
        try:
            times, memory = server.psutil.cpu_times(), server.psutil.memory_info().rss
            # Seconds of computing, which other work on the machine does not stretch as it does wall time.
            assert times.user + times.system < 15
            assert memory < 700 * 2**20
            # kserve, imported by the first such call, reads the command line, too.
            with grpc.insecure_channel(server.address) as channel:
                live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
                assert live(b"", timeout=120) == b"\x08\x01"
            children = server.psutil.children(recursive=True)
        except BaseException:
            server.kill()
            raise
    assert server.popen.wait(5) == 1
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
