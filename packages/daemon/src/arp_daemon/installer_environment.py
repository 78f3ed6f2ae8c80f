"""What an installer sees of the daemon's environment, and what it is told in it. Pure.

Where to look for packages is told by variables and not by arguments: arguments are for every user to read, and these
may hold credentials.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_daemon.environment_recipe import Recipe

_KEPT = re.compile(
    r"HOME|LANG|LC_\w+|LOGNAME|PATH|TMPDIR|TZ|USER|NETRC|XDG_(CACHE|CONFIG)_HOME|SSL_CERT_(FILE|DIR)|"
    r"(REQUESTS|CURL)_CA_BUNDLE|((ALL|HTTP|HTTPS|NO)_PROXY|(all|http|https|no)_proxy)|"
    r"PIP_(CACHE_DIR|CERT|CLIENT_CERT|CONFIG_FILE|DEFAULT_TIMEOUT|EXTRA_INDEX_URL|FIND_LINKS|INDEX_URL|NO_INDEX|PROXY|"
    r"RETRIES|TRUSTED_HOST)|"
    r"UV_(CACHE_DIR|CONFIG_FILE|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|HTTP_TIMEOUT|INDEX|INDEX_URL|INSECURE_HOST|"
    r"KEYRING_PROVIDER|LINK_MODE|NATIVE_TLS|OFFLINE|SYSTEM_CERTS)"
)


def installer_environment(recipe: Recipe, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of an installer: the operator's settings, and over them the profile's."""
    env = {name: value for name, value in environ.items() if _KEPT.fullmatch(name)}
    sources = recipe.sources
    if recipe.uv is not None:
        # An interpreter that nobody asked for is not to be fetched, and colours are of no use in a log.
        env |= {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
        names, between = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"), ","
    else:
        names, between = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"), " "
    values = (sources.index_url, " ".join(sources.extra_index_urls), between.join(sources.find_links))
    return env | {name: value for name, value in zip(names, values, strict=True) if value}
