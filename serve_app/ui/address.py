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

TAKE_DOMAIN = """(known, name, wanted) => {
  const address = new URL(window.location.href);
  return [known, name, address.searchParams.get("domain") || ""];
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
  requestAnimationFrame(() => { // on a phone the row of domains is wider than the screen
    const chosen = document.querySelector("#domain label:has(:checked)");
    chosen?.scrollIntoView({ block: "nearest", inline: "center" });
  });
  document.dispatchEvent(new CustomEvent("telltale-turned", { detail: { domain: name } }));
  return [];
}"""
TELL_KEY = """() => {
  document.dispatchEvent(new CustomEvent("telltale-turned", { detail: {} }));
  return [];
}"""


def opened(place: str, role: str) -> str:
    """The place that an address means, or the first one where this role does not see it."""
    place = BEFORE.get(place, place)
    return place if place in SEEN_BY.get(role, ()) else "ask"


def keep_place(place: str) -> str:
    """Not of the first tab, which Gradio selects by itself before the address has been read."""
    return f"""() => {{
  const address = new URL(window.location.href);
  address.searchParams.set("place", "{place}");
  if (window.telltalePlaceIsRead) history.replaceState(history.state, "", address);
  return [];
}}"""
