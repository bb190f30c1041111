# SPDX-License-Identifier: Apache-2.0
"""Client libraries that Debian has not, from PyPI: pinned in tests/e2e/python, installed once into .cache."""

import os
import shutil
import subprocess

_HERE = os.path.dirname(os.path.abspath(__file__))
_PINS = os.path.join(_HERE, "..", "python", "requirements.txt")
FOLDER = os.path.join(os.path.realpath(os.path.join(_HERE, "..", "..", "..", ".cache")), "python")


def install():
    """Returns whether they are there."""
    done = os.path.join(FOLDER, "installed")
    with open(_PINS) as file:
        wanted = file.read()
    if os.path.exists(done):
        with open(done) as file:
            if file.read() == wanted:
                return True
    shutil.rmtree(FOLDER, ignore_errors=True)
    command = ["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", FOLDER, "-r", _PINS]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return False
    with open(done, "w") as file:
        file.write(wanted)
    return True
