# SPDX-License-Identifier: Apache-2.0
"""Drives the agent and real traffic, and compares what they say. Standard library only."""
