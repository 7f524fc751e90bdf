"""The one typed configuration of a run."""

from rdiverse.config.base import SamplingConfig
from rdiverse.config.load import ConfigError, differing_fields, dump_config, load_config
from rdiverse.config.prompts import PromptConfig, PromptsConfig
from rdiverse.config.run import BenchmarkConfig, ChallengerConfig, EvaluationConfig, RunConfig, SolverConfig
from rdiverse.config.serving import CoderConfig, EncoderConfig, EngineConfig, LocalConfig
from rdiverse.config.training import ChallengerRewardConfig, GRPOConfig, LoRAConfig, SolverRewardConfig

__all__ = [
    "BenchmarkConfig",
    "ChallengerConfig",
    "ChallengerRewardConfig",
    "CoderConfig",
    "ConfigError",
    "EncoderConfig",
    "EngineConfig",
    "EvaluationConfig",
    "GRPOConfig",
    "LoRAConfig",
    "LocalConfig",
    "PromptConfig",
    "PromptsConfig",
    "RunConfig",
    "SamplingConfig",
    "SolverConfig",
    "SolverRewardConfig",
    "differing_fields",
    "dump_config",
    "load_config",
]
