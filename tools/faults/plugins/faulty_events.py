"""What the methods of this folder do, line by line in a file that outlives their process."""

import os
import time

PAUSE = 0.02  # seconds that a step, and the scoring of an image, takes at least


def note(event: str) -> None:
    """Add a line to the file that `FAULTS_EVENTS` names, with one call of the system, so that no line is torn."""
    time.sleep(PAUSE)
    path = os.environ.get("FAULTS_EVENTS")
    if path:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{event}\n".encode())
        os.close(descriptor)
