"""What happened, for people to read: from plain values, without sockets."""

from __future__ import annotations

from wirecut.report.secrets import mask_secrets
from wirecut.report.transcript import Event, Stream, Talk, Transfer, render_talk

__all__ = ["Event", "Stream", "Talk", "Transfer", "mask_secrets", "render_talk"]
