"""One configuration for all logs: its lines, its switches, and what cannot be said through it."""

import json
import logging
import re
import subprocess
import sys
import time

import pytest

from rdiverse import logs

PROGRAM = """
import logging
from rdiverse import logs
logs.configure(run="r-zero-seed1")
log = logging.getLogger("rdiverse.some.server")
log.debug("a detail")
log.info("ready on %s", "127.0.0.1:9000")
log.warning("one\\nERROR two")
logging.getLogger("somebody.else").info("chatter")
logging.getLogger("somebody.else").warning("trouble")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def run(**environment):
    made = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert made.stdout == ""
    return made.stderr


def test_a_line_says_when_how_grave_who_for_which_run_and_what():
    lines = run().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(stamp + r" INFO    rdiverse\.some\.server run=r-zero-seed1 ready on 127\.0\.0\.1:9000", lines[0])
    assert re.fullmatch(stamp + r" WARNING rdiverse\.some\.server run=r-zero-seed1 one\\nERROR two", lines[1])
    assert lines[2].endswith("somebody.else run=r-zero-seed1 trouble")
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert not any("chatter" in line or "a detail" in line for line in lines)


def test_as_json_each_line_is_an_object_with_the_same_and_the_trace():
    found = [json.loads(line) for line in run(RDIVERSE_LOG_FORMAT="json", RDIVERSE_RUN="r-diverse-seed0").splitlines()]
    assert [line["message"] for line in found] == ["ready on 127.0.0.1:9000", "one\nERROR two", "trouble", "failed"]
    assert {line["run"] for line in found} == {"r-diverse-seed0"}
    assert [line["level"] for line in found] == ["info", "warning", "warning", "error"]
    assert found[-1]["trace"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("level", "first"), [("debug", "a detail"), ("error", "failed"), ("WARNING", "one")])
def test_the_level_is_a_variable(level, first):
    assert first in run(RDIVERSE_LOG_LEVEL=level).splitlines()[0]


@pytest.mark.parametrize("variable", [logs.LEVEL_VARIABLE, logs.FORMAT_VARIABLE])
def test_a_setting_that_is_none_is_refused_with_those_there_are(monkeypatch, variable):
    monkeypatch.setenv(variable, "loud")
    with pytest.raises(logs.LogSettingError, match=rf"{variable}: must be .+ or .+, not 'loud'"):
        logs.configure()


def test_what_happens_often_is_said_seldom_and_counted(caplog):
    seldom = logs.Seldom(logging.getLogger("rdiverse.test"), seconds=0.2)
    for i in range(5):
        seldom.say(logging.WARNING, "a", f"refused {i}")
    seldom.say(logging.WARNING, "b", "another")
    time.sleep(0.25)
    seldom.say(logging.WARNING, "a", "refused again")
    assert caplog.messages == ["refused 0", "another", "refused again (and 4 more like it since the last time)"]
