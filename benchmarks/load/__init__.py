"""The load: a program of its own that speaks HTTP/1.1 by hand, so that it costs little beside what it measures.

It imports nothing but the standard library. `python -m benchmarks.load` reads one job, a line of JSON, from stdin, and
writes lines of JSON: each stage of the job, after which it waits for an empty line, and at the end what came out. It is
whoever started it that ends a job which takes too long.
"""
