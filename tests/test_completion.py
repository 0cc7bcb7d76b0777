"""`jaxlogit completion`: scripts that shells take, and what bash completes with one."""

import os
import shutil
import subprocess

import pytest

from jaxlogit.cli import main, parser
from jaxlogit.cli.completion import SHELLS, _actions


def script(shell, capsys):
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_take_their_script(shell, capsys, tmp_path):
    text = script(shell, capsys)
    assert "replicates" in text
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    (tmp_path / "script").write_text(text)
    # Read without running; tcsh has no way to do that, and its script only says what to complete.
    flags = ["-f", "-c", "source ./script"] if shell == "tcsh" else ["-n", "./script"]
    run = subprocess.run([shell, *flags], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_options_names_and_paths(capsys, tmp_path):
    (tmp_path / "script").write_text(script("bash", capsys))
    (tmp_path / "births.csv").touch()
    (tmp_path / "birth-study").mkdir()
    for words, found in (
        ("stu", {"study"}),
        ("study re", {"replay", "report"}),
        ("study run --st", {"--store"}),
        ("study run bir", {"birthwt", "births.csv", "birth-study"}),
        ("study summary bir", {"birth-study"}),
        ("study run birthwt --keep s", {"summary"}),
        ("bootstrap e", {"endometrial"}),
        ("bootstrap bi", {"birthwt", "births.csv", "birth-study"}),
        ("bootstrap birthwt y~x --scheme p", {"pairs", "poisson", "parametric"}),
        ("completion z", {"zsh"}),
    ):
        line = (
            f"source ./script; COMP_WORDS=(jaxlogit {words}); "
            "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_jaxlogit; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        run = subprocess.run(["bash", "--norc", "-c", line], cwd=tmp_path, text=True,
                             capture_output=True, env={"PATH": os.environ["PATH"]})  # fmt: skip
        assert {word.rstrip("/") for word in run.stdout.split()} == found, (words, run.stderr)


def test_every_path_is_known_by_its_metavar():
    paths = [
        action for action in _actions(parser()) if getattr(action.type, "__name__", "") == "Path"
    ]
    assert paths
    for action in paths:
        assert action.metavar is not None
        assert action.metavar.partition(".")[0] in {"FILE", "DIR", "OUT"}
