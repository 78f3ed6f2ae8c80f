"""The options that say what tools there are, which several commands have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from arp_runtime.tools.loading import REGISTRY_URL_VARIABLE


@Parameter(name="*")
@dataclass(frozen=True)
class ToolOptions:
    """What tools runs may use, beside the built-in ones.

    Parameters
    ----------
    tools
        A module or a ./file.py with tools of your own. Can be given several times.
    tool_registry_url
        A tool registry whose tools runs may use as well.
    """

    tools: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    tool_registry_url: Annotated[str | None, Parameter(env_var=REGISTRY_URL_VARIABLE)] = None


NO_TOOL_OPTIONS = ToolOptions()
