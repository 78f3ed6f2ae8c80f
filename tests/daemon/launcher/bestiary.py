"""Tiny real programs, good and bad, that tests have launched: `python bestiary.py NAME ARG...`.

`main` is also what tests name as a template, so that each beast can come into the world in both ways. Those that
listen answer every connection with a JSON object of facts about themselves, and then close it.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


def serve(listener: socket.socket, **facts: object) -> None:
    facts |= {"pid": os.getpid(), "ppid": os.getppid(), "sid": os.getsid(0), "cwd": str(Path.cwd())}
    facts |= {"uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups()}
    facts |= {"argv": sys.argv, "env": dict(os.environ), "random": random.random()}
    facts["fds"] = sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(json.dumps(facts).encode())


def echo(*_: str) -> None:
    """Listens on the socket that it was given."""
    serve(socket.socket(fileno=3))


def bind(host: str, port: str) -> None:
    """Listens on the port that was picked for it."""
    serve(socket.create_server((host, int(port))))


def bind_unix(path: str) -> None:
    """Listens at the path that was picked for it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    serve(listener)


def deaf() -> None:
    """Ignores SIGTERM, and so does its brood: a child, and a double-forked daemon in a session of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = os.fork() or sleep_for_ever()
    read, write = os.pipe()
    if middle := os.fork():
        os.waitpid(middle, 0)
    else:
        os.setsid()
        if daemon := os.fork():
            os.write(write, str(daemon).encode())
            os._exit(0)
        sleep_for_ever()
    serve(socket.socket(fileno=3), brood=[child, int(os.read(read, 20))])


def parent() -> None:
    """Has a child that would outlive it; ends when its one connection is closed."""
    listener = socket.socket(fileno=3)
    child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    connection, _ = listener.accept()
    connection.sendall(json.dumps({"brood": [child.pid]}).encode())
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    os._exit(3)


def hide() -> None:
    """Has a daemon that cleared its environment in a session of its own; ends when its one connection is closed."""
    listener = socket.socket(fileno=3)
    read, write = os.pipe()
    if middle := os.fork():
        os.waitpid(middle, 0)
    else:
        os.setsid()
        if daemon := os.fork():
            os.write(write, str(daemon).encode())
            os._exit(0)
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    connection, _ = listener.accept()
    connection.sendall(json.dumps({"brood": [int(os.read(read, 20))]}).encode())
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    os._exit(0)


def multiply(number: str) -> None:
    """Tries to have that many children, and tells how many it got."""
    children = 0
    with suppress(BlockingIOError):
        while children < int(number):
            os.fork() or sleep_for_ever()
            children += 1
    serve(socket.socket(fileno=3), children=children)


def gorge(mebibytes: str) -> None:
    """Takes that much memory, and writes to all of it."""
    hoard = [bytearray(os.urandom(1024) * 1024) for _ in range(int(mebibytes))]
    print("had", len(hoard), "MiB")


def tell_limits() -> None:
    """Tells what the kernel holds it to."""
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in ("RLIMIT_NOFILE", "RLIMIT_DATA")}
    serve(socket.socket(fileno=3), limits=limits, nice=os.getpriority(os.PRIO_PROCESS, 0))


def fail(code: str, message: str) -> None:
    """Says why on stderr, and exits."""
    print(message, file=sys.stderr)
    sys.exit(int(code))


def say(message: str) -> None:
    """Prints, and listens."""
    print(message)
    echo()


def flood(lines: str) -> None:
    """Prints that many lines, of 100 bytes and more, each with its number."""
    for number in range(int(lines)):
        print("line", number, "x" * 90)


def sleep_for_ever() -> int:
    while True:
        time.sleep(1000)


def run_code() -> None:
    """Runs the Python code in its first argument."""
    exec(sys.argv[1])


def main() -> None:
    listening = (echo, bind, bind_unix, deaf, parent, hide, multiply, tell_limits)
    others = (gorge, fail, say, flood, sleep_for_ever)
    name, *arguments = sys.argv[1:]
    {beast.__name__: beast for beast in (*listening, *others)}[name](*arguments)


if __name__ == "__main__":
    main()
