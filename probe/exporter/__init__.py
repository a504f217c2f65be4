"""``sshprobe exporter``: probes for Prometheus, and a prober that can be seen into.

What a part is, is a table; what a table needs, is a few lines beside it:

=============  ====================================================  ============================
module         what it has                                           the table
=============  ====================================================  ============================
``permits``    which targets may be probed                           ``SPECIAL``, ``EMBEDDINGS``
``config``     TOML in, frozen dataclasses out                       ``MODULE_KEYS`` and others
``result``     a report, and what was asked for
``metrics``    a result as metrics                                   ``METRICS``
``insides``    what the exporter knows of itself                     ``GAUGES``, ``REFUSALS``
``probing``    coalescing, freshness, politeness, bounds
``page``       results as HTML                                       templates
``tasks``      the tasks of this process, as text
``routes``     what is answered to which request                     ``ROUTES``
``server``     HTTP: h11 between sockets and requests                ``WAITS`` below
``service``    listening, signals, reloading, the end
=============  ====================================================  ============================

``permits``, ``config``, ``metrics`` and ``page`` are pure. The others wait, each for a bounded
time:

=======================  ======================  =================================================
a wait                   at the most             then
=======================  ======================  =================================================
for a request's head     ``server.HEAD_S``       the connection is closed
for a probe              its budget              it has a verdict: the law of the prober
for a probe's task       ``probing.GRACE_S``     503, and ``/healthz`` is red from then on
for an answer's reader   ``server.SEND_S``       the connection is closed
for the reader's end     ``server.LINGER_S``     likewise
after SIGTERM            the sum of these        connections are cut, and the process ends
=======================  ======================  =================================================

Nothing else waits: who comes while all places are taken, or asks one server too often, is told so
at once. A connection carries one request, so none is ever idle, and a body is never read.

HTTP is h11's. A server for ASGI would have waits that nobody bounds: hypercorn shields its sends
from cancellation, and takes HTTP/2, whose flow control lets a client hold an answer for ever.
"""
