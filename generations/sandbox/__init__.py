"""Pretend vendors on a loopback port, for the demo and the tests.

Written from the vendors' documents and from nothing else: it imports neither the adapters in
``generations.providers`` nor Django, so that the adapters and the sandbox check each other.

    server.py      the command line and the gunicorn process
    app.py         the WSGI application: routing, the last line of defence, the control pages
    exchange.py    one request and one answer, without a framework
    tasks.py       a pretend task and its life as a function of time
    books.py       what outlives a restart: tasks, charges, request counts (SQLite)
    scenarios.py   the words in a prompt that make a task misbehave
    pictures.py    reading and checking input images
    studio.py      the background thread that renders clips
    clips.py       one clip: picture, sound, container (scenery.py, captions.py and planes.py paint it)
    media.py       signed links and the files behind them
    stage.py       what all vendors share
    vidu.py        Vidu's protocol: the endpoints
                   (vidu_fields.py: what a create body may hold; vidu_create.py: from there to a task;
                   vidu_prices.py: what it costs; vidu_list.py: the query keys of the list)

Another vendor is one more module with a ``vendor(stage)`` function, added to ``app.VENDORS``.
"""

from .scenarios import SCENARIOS

__all__ = ["SCENARIOS"]
