"""Runs the published `arp-conformance` command, with the arguments given.

It resolves references between schemas by joining `arp://` URLs, which urllib only does for schemes that it has been
told of. Run it with the Python of a venv that has arp-conformance.
"""

import runpy
import urllib.parse

urllib.parse.uses_relative.append("arp")
urllib.parse.uses_netloc.append("arp")
runpy.run_module("arp_conformance.cli", run_name="__main__", alter_sys=True)
