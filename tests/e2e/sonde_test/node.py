# SPDX-License-Identifier: Apache-2.0
"""Packages for Node that the servers under test are made of: pinned in tests/e2e/node, installed once into .cache."""

import os
import shutil
import subprocess

_HERE = os.path.dirname(os.path.abspath(__file__))
_TOP = os.path.join(_HERE, "..", "..", "..")
FOLDER = os.path.join(os.path.realpath(os.path.join(_TOP, ".cache")), "node")


def install():
    """Returns whether the packages are there; npm's own lock file says what they are."""
    wanted = os.path.join(_HERE, "..", "node", "package.json")
    have = os.path.join(FOLDER, "package.json")
    if not shutil.which("npm") or not shutil.which("node"):
        return False
    with open(wanted) as file:
        text = file.read()
    if os.path.exists(have + ".installed"):
        with open(have + ".installed") as file:
            if file.read() == text:
                return True
    os.makedirs(FOLDER, exist_ok=True)
    with open(have, "w") as file:
        file.write(text)
    done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=FOLDER,
                          capture_output=True)
    if done.returncode == 0:
        shutil.copy(have, have + ".installed")
    return done.returncode == 0
