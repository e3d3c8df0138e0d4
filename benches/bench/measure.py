"""Runs one command and measures it from outside, through the small C program `measure`."""

import json
import os
import subprocess


class Outcome:
    def __init__(self, measured, printed):
        self.wall_ms, self.cpu_ms = measured["wall_ms"], measured["cpu_ms"]
        self.rss_mib = measured["rss_kib"] / 1024
        self.floor_mib = measured["floor_kib"] / 1024
        self.printed = printed

    @property
    def applying_ms(self):
        return self.printed.get("applying_ms")


def run(root, contestant, command, url, folder=None):
    reading, writing = os.pipe()
    measured = [os.path.join(root, "target/bench/peers/measure"), str(writing)] + command
    environment = {**os.environ, **contestant.environment(url), "NO_COLOR": "1"}
    done = subprocess.run(measured, capture_output=True, text=True, env=environment, pass_fds=(writing,), cwd=folder)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        line = pipe.read()
    if done.returncode:
        raise SystemExit(f"{contestant.name} failed: {' '.join(command)[:300]}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return Outcome(json.loads(line), contestant.times(done.stdout))
