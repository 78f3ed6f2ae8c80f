"""Whose port is it? A stranger that took a picked port first must never be taken for the instance."""

from __future__ import annotations

import psutil


def listens_in_tree(pid: int, port: int) -> bool:
    """Whether a process of the tree below and with `pid` has the socket that listens on `port`."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    return any(_listens(process, port) for process in processes)


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections(kind="tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)
