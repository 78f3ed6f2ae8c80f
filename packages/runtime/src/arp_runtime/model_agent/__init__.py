"""The agent `model`: a language model that works on the goal with the run's tools.

`settings.py` says which model, `conversation.py` what it is told, `stream.py` how its answer is put together from
pieces, `client.py` how it is asked, and `agent.py` is the loop.
"""

from arp_runtime.model_agent.agent import ModelAgent
from arp_runtime.model_agent.settings import ModelSettings, read_settings

__all__ = ["ModelAgent", "ModelSettings", "read_settings"]
