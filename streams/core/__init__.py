"""Pure decisions: frames and dataclasses in, the same out. No I/O, no clock, no async, no logging."""
