"""RunConfig: everything that decides what a run computes, and where."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from rdiverse.config.base import SamplingConfig, Section
from rdiverse.config.prompts import PromptsConfig
from rdiverse.config.serving import CoderConfig, EncoderConfig, EngineConfig, LocalConfig
from rdiverse.config.training import ChallengerRewardConfig, GRPOConfig, SolverRewardConfig
from rdiverse.selfplay.methods import Method
from rdiverse.selfplay.rewards import PenaltyConstants
from rdiverse.selfplay.roles import Role

RUN_ID_PATTERN = r"^[a-z0-9][a-z0-9.-]{0,49}$"


class ChallengerConfig(Section):
    """The Challenger: how it is trained and how it writes the pool."""

    training: GRPOConfig = GRPOConfig(steps=5, group_size=4, updates_per_step=32)
    reward: ChallengerRewardConfig = ChallengerRewardConfig()
    pool: int = Field(8000, ge=1, le=100_000)
    """Questions proposed in an iteration (R-Zero: 8,000)."""
    sampling: SamplingConfig = SamplingConfig(top_p=0.95)
    """How the pool is drawn."""


class SolverConfig(Section):
    """The Solver: how it labels the pool and how it is trained."""

    training: GRPOConfig = GRPOConfig(steps=15, group_size=5, updates_per_step=4)
    reward: SolverRewardConfig = SolverRewardConfig()
    samples: int = Field(10, ge=1, le=1024)
    """Answers that vote on a pseudo-label (m)."""
    sampling: SamplingConfig = SamplingConfig(top_k=40)
    """How the answers are drawn."""
    band: tuple[float, float] = (0.3, 0.8)
    """Self-consistency of the questions that are kept, both ends inclusive."""
    drop_unboxed: bool = False
    """Leave samples without a boxed answer out of the share, as R-Zero's labelling does."""
    min_questions: int = Field(8, ge=1)
    """With fewer rows to train on, replay included, the run stops and says why."""

    @model_validator(mode="after")
    def _band_is_one(self) -> "SolverConfig":
        if not 0 <= self.band[0] <= self.band[1] <= 1:
            raise ValueError("band must be [low, high] with 0 <= low <= high <= 1")
        return self


class BenchmarkConfig(Section):
    """A held-out test set: JSON lines with `question`, `answer` and, when known, `skill`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    path: str = Field(min_length=1, max_length=4096)
    """A file, or pkg:<package>/<path>."""


class EvaluationConfig(Section):
    """What the Solver is measured on after every iteration."""

    benchmarks: tuple[BenchmarkConfig, ...] = ()
    samples: int = Field(4, ge=1, le=1024)
    """Samples per question (mean@k)."""
    sampling: SamplingConfig = SamplingConfig(top_p=0.95)
    greedy: bool = True
    """Also measure greedy decoding."""


class RunConfig(Section):
    """One run. Read from YAML and key=value overrides (`rdiverse.config.load_config`)."""

    method: Method = Method.R_DIVERSE
    """Which method's remedies are on."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    iterations: int = Field(5, ge=1, le=1000)
    """Iterations (T; 5 in the paper)."""
    run_id: str | None = Field(None, pattern=RUN_ID_PATTERN)
    """Name of the run's folder and memory; null: <method>-seed<seed>."""
    workspace: Path = Path("workspace")
    """Folder of all runs."""
    model: str = Field(min_length=1, max_length=4096)
    """The base model of both policies: a Hugging Face model directory, a hub id, or pkg:<package>/<path>."""
    oracle: str | None = Field(None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """<module>:<attribute> of an Oracle that knows the truth of generated questions; null: such figures are null."""
    prompts: PromptsConfig = PromptsConfig()
    """What each role is told."""
    challenger: ChallengerConfig = ChallengerConfig()
    solver: SolverConfig = SolverConfig()
    coder: CoderConfig = CoderConfig()
    encoder: EncoderConfig = EncoderConfig()
    penalty: PenaltyConstants = PenaltyConstants()
    """Constants of P_rep and P_MAP."""
    replay_share: float = Field(0.3, ge=0, lt=1)
    """Share of replayed rows in the Solver's training set (rho)."""
    evaluation: EvaluationConfig = EvaluationConfig()
    inference: EngineConfig = EngineConfig()
    keep_iterations: int = Field(2, ge=1)
    """Iterations whose trained weights are kept."""
    local: LocalConfig = LocalConfig()

    def training(self, role: Role) -> GRPOConfig:
        """How a policy is trained."""
        return (self.challenger if role == Role.CHALLENGER else self.solver).training

    @property
    def resolved_run_id(self) -> str:
        """The run's name: as given, else made from method and seed."""
        return self.run_id or f"{self.method}-seed{self.seed}"
