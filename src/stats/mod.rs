//! Statistics: numbers in, verdicts out. No I/O, no clock, no randomness of its own.
