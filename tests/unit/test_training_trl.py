"""The trainer leans on four private methods of TRL: here is what each looks like in the version that is pinned."""

import ast
import inspect
from pathlib import Path

import pytest
from trl import GRPOTrainer

import rdiverse.training

LEANED_ON = {
    "_generate_and_score_completions": "(self, inputs: list[dict[str, torch.Tensor | Any]]) -> dict[str, torch.Tensor | Any]",
    "_generate_single_turn": "(self, prompt_ids, images, multimodal_fields, num_generations, has_tool_images=False)",
    "_get_per_token_logps_and_entropies": (
        "(self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, compute_entropy=False,"
        " compute_aux_loss=False, pixel_values=None, image_grid_thw=None, num_images=None, pixel_attention_mask=None,"
        " spatial_shapes=None, num_tiles=None, image_sizes=None, token_type_ids=None, mm_token_type_ids=None,"
        " image_position_ids=None) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]"
    ),
    "_save_checkpoint": "(self, model, trial)",
}


@pytest.mark.parametrize("name", LEANED_ON)
def test_the_methods_that_the_adapter_leans_on_are_as_they_were(name: str) -> None:
    assert hasattr(GRPOTrainer, name), f"TRL has no {name} any more: see rdiverse/training/trl_adapter.py"
    found = str(inspect.signature(getattr(GRPOTrainer, name))).replace("'", "").replace("typing.", "")
    assert found == LEANED_ON[name], f"TRL changed {name}: see rdiverse/training/trl_adapter.py"


def test_no_other_private_name_of_trl_is_used_and_none_outside_the_adapter() -> None:
    private = {name for name in dir(GRPOTrainer) if name.startswith("_") and not name.startswith("__")}
    # Attributes that TRL's or transformers' constructors set: a class does not list them.
    for base in GRPOTrainer.__mro__[:-1]:
        private |= {
            node.attr
            for node in ast.walk(ast.parse(Path(inspect.getfile(base)).read_text()))
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and isinstance(node.ctx, ast.Store)
        }
    used: dict[str, set[str]] = {}
    for path in Path(rdiverse.training.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else node.name if isinstance(node, ast.FunctionDef) else ""
            if name in private:
                used.setdefault(path.name, set()).add(name)
    assert used.pop("trl_adapter.py") == set(LEANED_ON)
    assert used == {"trainer.py": {"_save_checkpoint"}}, "which times the adapter's own"
