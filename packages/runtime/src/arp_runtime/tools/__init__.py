"""Tools: what they are, where they come from, and the box through which a run reaches them.

box        a run's way to its tools: policy, budget, events   offered    one list, each call checked and bounded
functions  `@tool`                                            registry   tools of a tool registry
builtin    those that come along                              loading    gathering all of them
"""

__all__: list[str] = []
