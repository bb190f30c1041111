# SPDX-License-Identifier: Apache-2.0
"""One module a benchmark; each has run(settings) and prints its own tables."""
