// Keys: J and K go through the events of a long recording, or several files, and play each, Enter opens
// it; + and - zoom the scope (so do its buttons, and the wheel with Ctrl), 0 shows it whole; ? tells them all.
(() => {
  const most = 16;
  const typed = (on) => on.matches("input:not([type=radio]), textarea, select, [contenteditable=true]");
  const seen = (css) => [...document.querySelectorAll(css)].find((one) => one.offsetParent);
  const start = (figure) => Number(figure.dataset.start ?? 0); // of what is shown, as a share of the whole
  const zoomOf = (figure) => Number(figure.dataset.zoom ?? 1);

  const show = (figure, zoom, from) => {
    const at = Math.max(0, Math.min(1 - 1 / zoom, from));
    Object.assign(figure.dataset, { zoom, start: at });
    figure.style.setProperty("--zoom", zoom);
    figure.style.setProperty("--from", at * zoom);
    figure.classList.toggle("tt-zoomed", zoom > 1);
    figure.classList.toggle("tt-near", zoom >= 4);
  };
  // `where`: the share of the whole that stays where it is on the screen.
  const zoomed = (figure, by, where) => {
    const before = zoomOf(figure), zoom = Math.max(1, Math.min(most, before * by));
    const place = where ?? (figure.classList.contains("tt-heard")
      ? parseFloat(figure.style.getPropertyValue("--at")) / 100 : start(figure) + 0.5 / before);
    show(figure, zoom, place - ((place - start(figure)) * before) / zoom);
  };
  const ZOOM = { "+": 2, "=": 2, "-": 0.5, 0: 0 };
  const turn = (figure, key) => (ZOOM[key] ? zoomed(figure, ZOOM[key]) : show(figure, 1, 0));

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-zoom-key]");
    if (button) turn(button.closest(".tt-sound").querySelector(".tt-scope"), button.dataset.zoomKey);
  });
  document.addEventListener("wheel", (event) => {
    const figure = event.target.closest?.(".tt-sound .tt-scope");
    if (!figure || (!event.ctrlKey && zoomOf(figure) === 1)) return;
    const wide = figure.querySelector(".tt-wide").getBoundingClientRect();
    const along = event.deltaX || (event.shiftKey ? event.deltaY : 0);
    if (!event.ctrlKey && !along) return; // the page is scrolled
    event.preventDefault();
    if (event.ctrlKey) zoomed(figure, 2 ** (-event.deltaY / 100), (event.clientX - wide.left) / wide.width);
    else show(figure, zoomOf(figure), start(figure) + along / wide.width);
  }, { passive: false });
  // What is heard stays in sight.
  document.addEventListener("timeupdate", (event) => {
    const figure = event.target.closest?.(".tt-sound")?.querySelector(".tt-scope");
    if (!figure || zoomOf(figure) === 1) return;
    const at = event.target.currentTime / event.target.duration, zoom = zoomOf(figure);
    if (at < start(figure) || at > start(figure) + 1 / zoom) show(figure, zoom, at);
  }, true);

  const step = (by) => {
    const rows = [...document.querySelectorAll("#several tbody tr")].filter((row) => row.offsetParent);
    const now = rows.findIndex((row) => row.ariaCurrent);
    const next = rows[now < 0 ? 0 : now + by];
    if (!next) return rows.length > 0;
    if (rows[now]) rows[now].ariaCurrent = null;
    next.ariaCurrent = "true";
    next.scrollIntoView({ block: "nearest" });
    next.querySelector("[data-play]")?.click();
    return true;
  };
  // Whoever dictates, or hits keys unawares, can switch single characters off.
  const KEPT = "telltale-keys";
  window.telltaleKey = ({ key }) => key.length > 1 || localStorage.getItem(KEPT) !== "off";
  document.addEventListener("toggle", ({ target }) => {
    if (target.closest?.("#keys")) target.querySelector("input").checked = localStorage.getItem(KEPT) !== "off";
  }, true);
  document.addEventListener("change", ({ target }) => {
    if (target.closest?.("#keys")) localStorage.setItem(KEPT, target.checked ? "on" : "off");
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typed(event.target) || !telltaleKey(event)) return;
    const key = event.key.toLowerCase(), figure = seen(".tt-sound .tt-scope");
    const open = () => {
      const row = seen('#several tr[aria-current="true"]');
      row?.querySelector("[data-open]")?.click();
      return row;
    };
    const help = () => {
      const keys = document.querySelector("#keys details");
      keys.firstElementChild.click();
      if (keys.open) keys.scrollIntoView({ block: "nearest" });
      return true;
    };
    const done = key === "?" ? help()
      : key === "j" ? step(1)
      : key === "k" ? step(-1)
      : key === "enter" ? !event.target.closest("button, a, summary, audio, label") && open()
      : key in ZOOM && figure && (turn(figure, key), true);
    if (done) event.preventDefault();
  });
})();
