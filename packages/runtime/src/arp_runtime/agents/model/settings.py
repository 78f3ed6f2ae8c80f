"""Which model the agent `model` asks, and where: from the environment, which a profile can set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arp_runtime.agents.kinds import NoAgentError

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE_URL_VARIABLE = "ARP_MODEL_BASE_URL"
API_KEY_VARIABLE = "ARP_MODEL_API_KEY"
MODEL_VARIABLE = "ARP_MODEL"
SYSTEM_PROMPT_VARIABLE = "ARP_MODEL_SYSTEM_PROMPT"

# For a small model: the fewer words the better.
LOCAL_SYSTEM_PROMPT = "You are a helpful assistant. Answer briefly."
SYSTEM_PROMPT = (
    "You work on one goal. Use the tools that you are given where they help, one step at a time, and never make up "
    "what a tool could tell you. When the goal is achieved, answer in plain words."
)


@dataclass(frozen=True)
class ModelSettings:
    """A model behind an OpenAI-compatible chat-completions server."""

    base_url: str
    """What `/chat/completions` comes after, such as https://api.openai.com/v1."""
    model: str
    api_key: str | None = field(default=None, repr=False)
    system_prompt: str = SYSTEM_PROMPT
    offers_tools: bool = True
    """False where the model is too small to use tools."""


def read_settings(environment: Mapping[str, str]) -> ModelSettings:
    """Return what the variables say.

    Raises:
        NoAgentError: one is missing.
    """
    missing = [name for name in (BASE_URL_VARIABLE, MODEL_VARIABLE) if not environment.get(name)]
    if missing:
        raise NoAgentError(
            f"it asks an OpenAI-compatible server: set {' and '.join(missing)} (and {API_KEY_VARIABLE}, where the "
            "server wants a key)"
        )
    return ModelSettings(
        base_url=environment[BASE_URL_VARIABLE],
        model=environment[MODEL_VARIABLE],
        api_key=environment.get(API_KEY_VARIABLE) or None,
        system_prompt=environment.get(SYSTEM_PROMPT_VARIABLE) or SYSTEM_PROMPT,
    )


def read_local_settings(environment: Mapping[str, str], *, base_url: str, model: str, api_key: str) -> ModelSettings:
    """Return how to ask a local model, which gets no tools: those that are small enough cannot use them."""
    system_prompt = environment.get(SYSTEM_PROMPT_VARIABLE) or LOCAL_SYSTEM_PROMPT
    return ModelSettings(base_url, model, api_key, system_prompt, offers_tools=False)
