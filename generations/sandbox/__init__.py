"""Pretend vendors on a loopback port, for the demo and the tests.

Written from the vendors' documents and from nothing else: it imports neither the adapters in
``generations.providers`` nor Django, so that the adapters and the sandbox check each other.

    server.py      the command line and the gunicorn process
    app.py         the WSGI application: routing, the last line of defence, the control pages
    exchange.py    one request and one answer, without a framework
    tasks.py       a pretend task and its life as a function of time
    books.py       what outlives a restart: tasks, charges, request counts (SQLite)
    scenarios.py   the words in a prompt that make a task misbehave
    faults.py      trouble on command, at given rates, and a count of it
    pictures.py    reading and checking input images
    studio.py      the background thread that renders clips
    bell.py        the background thread that calls customers back
    clips.py       one clip: picture, sound, container (scenery.py, captions.py and planes.py paint it)
    media.py       signed links and the files behind them
    stage.py       the things all vendors work with
    gateway.py     what all vendors do alike: keys, refusals, booking, looking after a task
    fields.py      checks of create bodies; booking.py: from a checked body to a task
    vidu.py        Vidu's protocol: the endpoints
                   (vidu_fields.py: what a create body may hold; vidu_wire.py: its JSON;
                   vidu_experiments.py: upscale, extend, templates; vidu_prices.py: what it costs;
                   vidu_list.py: the query keys of the list)
    dataeyes.py    DataEyes' protocol, which passes Vidu's JSON on
    uniall.py      UniAll's (uniall_fields.py: its models and create body)
    newapi.py      how DataEyes and UniAll refuse
    xingchao.py    XingChaoYiQing's
    vtrix.py       Vtrix' (vtrix_fields.py: its models and their parameters)

Another vendor is one more ``Gateway``, added to ``app.VENDORS``. The path prefixes and units of a charge:

    vidu      /ent/v2/               credits
    dataeyes  /v2/                   credits (Vidu's)
    uniall    /v1/                   credits (Vidu's)
    xingchao  /kyyReactApiServer/    tokens; a key's base URL ends in /kyyReactApiServer
    vtrix     /model/v1/             ten-thousandths of a US dollar
"""

from .scenarios import SCENARIOS

__all__ = ["SCENARIOS"]
