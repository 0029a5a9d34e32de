"""Where lines of ours go into the configuration that Serve writes for HAProxy.

Serve's template has no place for lines of others. What goes are plain words of Serve's own, for
errors and for what no application answers, and the proxy that is a backup where no replica lives;
HAProxy then answers in the words of our lines. Each start of HAProxy imports this: nothing that
takes time to import.
"""

from data.errors import Conflict

DONE = "# With Telltale's lines."
FRONTEND = "frontend http_frontend"  # where clients connect
GOES = ("errorfile 502 ", "errorfile 503 ", "errorfile 504 ")
# Those that are given lines; what is of `tables` goes behind all of them, with headers of its own.
SECTIONS = ("defaults", "frontend", "backend", "tables")


def with_lines(config: str, host: str, lines: dict[str, list[str]]) -> str:
    """Serve's configuration with ours in it, for each of SECTIONS, and everything that listens at
    `host`; one that has them already is left as it is.

    HAProxy that has not been told of any application yet listens to nobody: another may stand in
    for it. Raises Conflict where a request could get past our lines.
    """
    if config.startswith(DONE):
        return config
    sections = [[_bound(line, host) for line in section] for section in _sections(config)]
    if missing := _missing(sections, host):
        raise Conflict(f"{missing} in what Serve writes for HAProxy")
    told = sum(section[0].startswith("backend ") for section in sections) > 1
    edited = [line for section in sections for line in _edited(section, lines, told)]
    return "\n".join([DONE, *edited, *lines["tables"]]) + "\n"


def _sections(config: str) -> list[list[str]]:
    """Each from its first line, the only one that is not indented; what Serve says goes is gone."""
    found: list[list[str]] = []
    for line in config.split("\n"):
        if line[:1].strip():
            found.append([line.rstrip()])
        elif found and line.strip() and not _goes(line.strip()):
            found[-1].append(line)
    return found


def _goes(line: str) -> bool:
    backup = line.startswith("server ") and line.endswith(" backup")
    return backup or line.startswith(GOES) or "return status 404 " in line


def _bound(line: str, host: str) -> str:
    """Serve binds some of its ports on every interface, as `*:PORT` or `:PORT`."""
    word, _, rest = line.strip().partition(" ")
    everywhere = word == "bind" and rest.removeprefix("*")[:1] == ":" and rest.count(":") == 1
    return f"    bind {host}{rest.removeprefix('*')}" if everywhere else line


def _missing(sections: list[list[str]], host: str) -> str:
    """What of its shape is not as our lines need it; empty where all is."""
    headers = [header for header, *_ in sections]
    if headers.count("defaults") != 1:
        return "there is no one section `defaults`"
    if headers.count(FRONTEND) != 1 or FRONTEND not in _holders(sections, "bind "):
        return f"there is no one `{FRONTEND}` that listens"
    if others := _holders(sections, "use_backend ", "default_backend ") - {FRONTEND}:
        return f"requests come in by `{min(others)}` too"
    backends = {header for header in headers if header.startswith("backend ")}
    if others := _holders(sections, "server ") - backends:
        return f"replicas are reached by `{min(others)}` too"
    binds = [line.strip() for section in sections for line in section[1:]]
    if wide := [line for line in binds if line.startswith("bind ") and f" {host}:" not in line]:
        return f"`{wide[0]}` is not at {host} alone"
    return ""


def _holders(sections: list[list[str]], *words: str) -> set[str]:
    """First lines of the sections that have a line beginning with one of `words`."""
    return {
        header for header, *body in sections if any(line.strip().startswith(words) for line in body)
    }


def _edited(section: list[str], lines: dict[str, list[str]], told: bool) -> list[str]:
    header, *body = section
    if header == "defaults":
        return [header, *_indented(lines["defaults"]), *body]
    if header.startswith("backend "):
        return [header, *_indented(lines["backend"]), *body]
    if header == FRONTEND:
        binds = [line for line in body if line.strip().startswith("bind ")]
        rest = [line for line in body if line not in binds]
        return [header, *(binds if told else ()), *_indented(lines["frontend"]), *rest]
    return section


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
