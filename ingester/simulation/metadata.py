"""What a producer may add to an event: small JSON objects that differ by what happened."""

from random import Random
from typing import Any, Final

from ingester.event import EventType
from ingester.simulation.life import Touch
from ingester.simulation.selection import pick

_SUBJECTS: Final = (
    "Quick question about your pipeline",
    "Re: our call on Tuesday",
    "20 % off until Friday",
    "Frühjahrsangebot \u2013 nur für Sie",
    'The "boring" way to grow',
    "Offre d'été 🎉",
    "新しいご提案",
)
_AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Mobile",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
)
_LINKS: Final = (
    "https://shop.example/pricing?utm_source=mail&utm_campaign=q4",
    "https://cal.example/book/intro",
    "https://docs.example/caf%C3%A9/#setup",
)
_BOUNCES: Final = ((550, "5.1.1", "hard"), (550, "5.7.1", "hard"), (452, "4.2.2", "soft"))


def metadata(touch: Touch, random: Random) -> dict[str, Any]:
    """Make the metadata of a touch; its `mail` ties the touches of one mail together."""
    mail = f"{touch.mail:08x}"
    match touch.event_type:
        case EventType.SENT:
            details = {"subject": pick(_SUBJECTS, random), "step": 1 + random.getrandbits(2)}
        case EventType.OPENED:
            agent = pick(_AGENTS, random)
            details = {
                "user_agent": agent,
                "proxy": {"used": "ImageProxy" in agent, "region": None},
            }
        case EventType.CLICKED:
            details = {"link": pick(_LINKS, random), "user_agent": pick(_AGENTS, random)}
        case EventType.BOUNCED:
            code, status, kind = pick(_BOUNCES, random)
            details = {"kind": kind, "smtp": {"code": code, "status": status, "attempts": [1, 2]}}
        case _:
            score = random.getrandbits(10) / 1024
            details = {
                "subject": pick(_SUBJECTS, random),
                "sentiment": {"score": score, "by": "v3"},
            }
    return {"mail": mail, **details}
