"""Domain and tab in the page's address, `?domain=faults&place=models`, so that a reload and a
link open what was open. Each constant is JavaScript for Gradio's `js`."""

TAKE_DOMAIN = """(known, name, wanted) => {
  const address = new URL(window.location.href);
  return [known, name, address.searchParams.get("domain") || ""];
}"""
TAKE_PLACE = """() => {
  window.telltalePlaceIsRead = true;
  return [new URL(window.location.href).searchParams.get("place") || ""];
}"""
KEEP_DOMAIN = """(name) => {
  if (!name) return [];
  const address = new URL(window.location.href);
  address.searchParams.set("domain", name);
  history.replaceState(history.state, "", address);
  return [];
}"""


def keep_place(place: str) -> str:
    """Not of the first tab, which Gradio selects by itself before the address has been read."""
    return f"""() => {{
  if (!window.telltalePlaceIsRead) return [];
  const address = new URL(window.location.href);
  address.searchParams.set("place", "{place}");
  history.replaceState(history.state, "", address);
  return [];
}}"""
