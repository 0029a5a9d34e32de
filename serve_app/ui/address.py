"""Domain and place in the page's address, `?domain=faults&place=models`, so that a reload and a
link open what was open. The constants are JavaScript for Gradio's `js`."""

# Places by who sees them, and what they were called before, which links may still say.
SEEN_BY = {
    "anonymous": ("ask", "health"),
    "viewer": ("ask", "health"),
    "contributor": ("ask", "teach", "health"),
    "admin": ("ask", "teach", "models", "health"),
}
BEFORE = {"predict": "ask", "review": "teach", "retrain": "models"}

TAKE_DOMAIN = """(known, name, wanted, wait) => {
  const address = new URL(window.location.href);
  return [known, name, address.searchParams.get("domain") || "", wait];
}"""
TAKE_PLACE = """(key) => {
  window.telltalePlaceIsRead = true;
  return [key, new URL(window.location.href).searchParams.get("place") || ""];
}"""
KEEP_DOMAIN = """(name) => {
  if (!name) return [];
  const address = new URL(window.location.href);
  address.searchParams.set("domain", name);
  history.replaceState(history.state, "", address);
  return [];
}"""


def if_open(place: str) -> str:
    """Of the values of an event, the first of which is the domain: none while the place is closed,
    which then asks nothing of the service, but when it is opened."""
    return f"""(domain, ...more) => {{
  const open = document.querySelector('#place-{place}-button[aria-selected="true"]');
  return [open ? domain : null, ...more];
}}"""


def opened(place: str, role: str) -> str:
    """The place that an address means, or the first one where this role does not see it."""
    place = BEFORE.get(place, place)
    return place if place in SEEN_BY.get(role, ()) else "ask"


def keep_place(place: str, looking: tuple[str, ...]) -> str:
    """Not of the first tab, which Gradio selects by itself before the address has been read. Of the
    places that look again and again, each with a timer, the one that is opened does."""
    return f"""() => {{
  const address = new URL(window.location.href);
  address.searchParams.set("place", "{place}");
  if (window.telltalePlaceIsRead) history.replaceState(history.state, "", address);
  return {list(looking)}.map((one) => ({{ __type__: "update", active: one === "{place}" }}));
}}"""
