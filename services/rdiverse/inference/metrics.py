"""What a server counts, by role, beside gRPC's own and the engine's."""

from prometheus_client import Counter, Gauge, Histogram

PROPOSED = Counter("rdiverse_questions_proposed", "Completions of the Challenger.")
MALFORMED = Counter("rdiverse_questions_malformed", "Completions of the Challenger without a question or a boxed answer.")
VOTES = Counter("rdiverse_votes", "Questions voted on by the Solver.")
UNBOXED = Counter("rdiverse_unboxed_samples", "Samples of the Solver without a boxed answer.")
TOO_LONG = Counter("rdiverse_questions_too_long", "Questions that left no room for an answer; they count as unanswered.")
GRADER_TIMEOUTS = Counter("rdiverse_grader_timeouts", "Symbolic comparisons that timed out and count as unequal.")
SHARES = Histogram(
    "rdiverse_self_consistency", "Share of the majority answer.", buckets=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
)
PROMPT_TOKENS = Counter("rdiverse_prompt_tokens", "Tokens of prompts, counted once for each completion.", ["role"])
COMPLETION_TOKENS = Counter("rdiverse_completion_tokens", "Tokens drawn.", ["role"])
EMBEDDED = Counter("rdiverse_texts_embedded", "Texts embedded.", ["role"])
LOADS = Counter("rdiverse_weight_loads", "Loads of new weights.", ["role", "outcome"])
QUEUE_ROWS = Gauge("rdiverse_queue_rows", "Sequences that wait for the engine.", ["role"])
RUNNING_ROWS = Gauge("rdiverse_running_rows", "Sequences that the engine computes now.", ["role"])
WEIGHTS = Gauge("rdiverse_weights_info", "1 for the version of the weights that serve.", ["role", "weights"])
