"""What of lm a step's pod needs is there without torch, as in the images of the steps."""

import subprocess
import sys

import pytest

TORCH_FREE = ("batching", "canary", "folders", "lora", "noise", "sampling_params", "tokenizer", "weights")

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # whoever imports it fails
import rdiverse.lm.{name}
assert "grpc" not in sys.modules
"""


@pytest.mark.parametrize("name", TORCH_FREE)
def test_these_modules_need_no_torch(name: str) -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH.format(name=name)], check=True, timeout=120)
