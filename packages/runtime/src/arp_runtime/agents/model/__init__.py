"""The agent `model`: a language model that works on the goal with the run's tools.

`settings.py` says which model, `conversation.py` what it is told, `stream.py` how its answer is put together from
pieces, `client.py` how it is asked, `agent.py` is the loop, and `local.py` brings a model along.
"""

from arp_runtime.agents.model.agent import ModelAgent
from arp_runtime.agents.model.local import LOCAL_SLOTS, LocalModelAgent
from arp_runtime.agents.model.settings import ModelSettings, read_settings

__all__ = ["LOCAL_SLOTS", "LocalModelAgent", "ModelAgent", "ModelSettings", "read_settings"]
