"""One line that says where the run is."""

from __future__ import annotations

import sys
import time


class Progress:
    """Tells each step on standard error: on a terminal in one line, else a line for each step."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0
        self.began = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def step(self, text: str) -> None:
        self.done += 1
        elapsed = time.monotonic() - self.began
        left = elapsed / self.done * (self.steps - self.done)
        line = f"{self.done}/{self.steps}  {left / 60:.0f} min left  {text}"
        start, end = ("\r\033[K", "") if self.is_terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.is_terminal:
            print(file=sys.stderr)
