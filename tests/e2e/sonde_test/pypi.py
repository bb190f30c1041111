# SPDX-License-Identifier: Apache-2.0
"""Libraries that Debian has not, from PyPI: pinned in tests/e2e/python, installed once into .cache."""

import os
import shutil
import subprocess

_HERE = os.path.dirname(os.path.abspath(__file__))
_CACHE = os.path.realpath(os.path.join(_HERE, "..", "..", "..", ".cache"))
FOLDER, OPENTELEMETRY = (os.path.join(_CACHE, name) for name in ("python", "python-opentelemetry"))


def _install(pins, folder):
    done = os.path.join(folder, "installed")
    pins = os.path.join(_HERE, "..", "python", pins)
    with open(pins) as file:
        wanted = file.read()
    if os.path.exists(done):
        with open(done) as file:
            if file.read() == wanted:
                return True
    shutil.rmtree(folder, ignore_errors=True)
    command = ["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", folder, "-r", pins]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return False
    with open(done, "w") as file:
        file.write(wanted)
    return True


def install():
    """Returns whether the client libraries are there."""
    return _install("requirements.txt", FOLDER)


def install_opentelemetry():
    return _install("opentelemetry.txt", OPENTELEMETRY)
