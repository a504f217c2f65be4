"""The conformance suite: does an SSH client always end, in time and whole, and tell the truth?

``case`` says what is right against each server of the catalogue for each kind of client; ``suite``
runs a client against them, a ``keeper`` process for each case; ``judge`` says what came of it.
``driver`` is for authors of drivers, who call a library that is to be tested.
"""
