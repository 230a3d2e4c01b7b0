"""Words in square brackets that make a task misbehave, at every vendor in its own words.

Ordinary prompts never hold them by accident.
"""

import re

SCENARIOS: dict[str, str] = {
    "policy": "The create is refused with 400: the prompt violates a policy.",
    "unavailable": "The create is refused with 400: the model is unavailable.",
    "throttle": "The first create with a given prompt gets 429 and Retry-After: 2. The next passes.",
    "quota": "The first create with a given prompt gets 429: too many tasks at once. The next passes.",
    "lost": "The task is accepted and booked, then the connection is dropped without an answer.",
    "lost500": "The task is accepted and booked, then the answer is 500.",
    "lost500before": "The first create with a given prompt gets 500 and is not booked. The next passes.",
    "hang": "The task is accepted and booked; the answer comes twenty seconds later.",
    "violation": "The task runs to its end and fails there for violating a policy; nothing is charged.",
    "fail": "The task fails at its end without a reason; nothing is charged.",
    "crash": "The task fails at its end with an internal error of the vendor's; nothing is charged.",
    "slow": "Processing takes five times as long.",
    "unknown": "During the first half of processing the state is a word that no document knows.",
    "nourl": "After success is reported there is no link for three more seconds.",
    "nocover": "The link to the cover, where there is one, answers 403 for ever.",
    "html": "The link to the video answers 200 with an HTML page.",
    "empty": "The link to the video answers 200 with no bytes.",
    "cut": "The first whole download of the video breaks off half way; later ones and Range requests are fine.",
    "expired": "The first links handed out have already expired; asking again gives good ones.",
    "norange": "The server of the video ignores Range: always 200 and the whole file.",
    "trickle": "Every download of the video takes twenty seconds.",
    "nocallback": "The vendor never calls back about the task.",
}

_WORD = re.compile(r"\[([a-z0-9]+)\]")


def words_in(prompt: str) -> frozenset[str]:
    """The scenario words of a prompt, without brackets; case does not matter, unknown words are ignored."""
    return frozenset(_WORD.findall(prompt.lower())) & SCENARIOS.keys()
