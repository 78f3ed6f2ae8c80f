"""A cyclopts App whose command lines can be parsed beforehand, for the processes that are forked from this one.

To parse one takes some 8 ms, and writes to 1.5 MB that a fork would share; to work out from its signature what
parameters a command has takes 10 ms more.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cyclopts

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterable, Mapping

    _Parsed = tuple[Callable[..., Any], inspect.BoundArguments, dict[str, Any]]


class CommandLine(cyclopts.App):
    """An App whose parameters come from words, and from variables and a file that count when it is called."""

    variables_prefix: str
    """What the name of a variable begins with that says the value of a parameter."""
    config_file: str
    """The file that is read where no variable names another."""

    _parameters: cyclopts.ArgumentCollection | None = None
    _more_variables: frozenset[str] = frozenset()
    _parsed: Mapping[tuple[str, ...], _Parsed] = MappingProxyType({})

    def prepare(self, *words: str) -> None:
        """Parse the words of a command before it is called with them. What makes no sense is left for that call.

        Where that call has other words, or more is said by a variable or the config file, the parameters of the
        command are at least known. They are so for one call.
        """
        app = self[words[0]]
        assert isinstance(app, CommandLine)
        config, self.config = self.config, ()  # this process's environment and folder are none of the call's
        try:
            parsed = super().parse_args(words, print_error=False, exit_on_error=False)
            with self.app_stack([self, app]):
                self._more_variables = app.keep_parameters()
        except cyclopts.CycloptsError:
            return
        finally:
            self.config = config
        if self._more_variables.isdisjoint(os.environ):
            self._parsed = {**self._parsed, words: parsed}

    def parse_args(self, tokens: str | Iterable[str] | None = None, **settings: Any) -> _Parsed:
        """See cyclopts. What was prepared is not parsed again, unless more is said than these words."""
        parsed = self._parsed.get(tuple(tokens or ()))
        return super().parse_args(tokens, **settings) if parsed is None or self._more_is_said() else parsed

    def _more_is_said(self) -> bool:
        """Whether there is a variable, or a config file, that may say the value of a parameter."""
        by_variable = any(name.startswith(self.variables_prefix) or name in self._more_variables for name in os.environ)
        return by_variable or Path(self.config_file).exists()

    def keep_parameters(self) -> frozenset[str]:
        """Keep the parameters of this very command, within those that it is in; return variables that say any."""
        self._parameters = parameters = self.assemble_argument_collection()
        return frozenset(name for one in parameters for name in one.parameter.env_var or ())

    def assemble_argument_collection(
        self, *, default_parameter: cyclopts.Parameter | None = None, parse_docstring: bool = False
    ) -> cyclopts.ArgumentCollection:
        """Return the parameters, those that were kept once only: parsing leaves in them what it has found."""
        kept, self._parameters = self._parameters, None
        if kept is not None and default_parameter is None and not parse_docstring:
            return kept
        return super().assemble_argument_collection(
            default_parameter=default_parameter, parse_docstring=parse_docstring
        )
