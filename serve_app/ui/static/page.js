// Between the places by the keyboard, as in any list of tabs.
document.addEventListener("keydown", (event) => {
  const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  const tab = event.target instanceof Element && event.target.closest('[role="tab"]');
  if (!tab || !(event.key in steps)) return;
  event.preventDefault();
  const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')]
    .filter((one) => one.offsetParent);
  const at = tabs.indexOf(tab) + steps[event.key];
  const next = tabs[Math.max(0, Math.min(tabs.length - 1, at))];
  next.focus();
  next.click();
});

// Moments as they are read: how long ago, or by the reader's own clock, a time alone where it is of
// today.
(() => {
  const DAY_S = 86400, UNITS = [[60, 1, "s"], [3600, 60, "min"], [DAY_S, 3600, "h"]];
  const date = { day: "numeric", month: "short", year: "numeric" };
  const hour = { hour: "2-digit", minute: "2-digit" };

  const ago = (at) => {
    const seconds = Math.round((Date.now() - at) / 1000);
    if (seconds < 5) return "just now";
    const [, length, name] = UNITS.find(([limit]) => seconds < limit) ?? [];
    return length ? `${Math.floor(seconds / length)} ${name} ago` : at.toLocaleDateString([], date);
  };
  const clock = (at) => {
    const today = at.toDateString() === new Date().toDateString();
    return at.toLocaleString([], today ? hour : { ...date, ...hour });
  };
  const read = (time) => {
    const at = new Date(time.dateTime);
    const words = "ago" in time.dataset ? ago(at) : clock(at);
    if (time.textContent !== words) time.textContent = words;
    time.title ||= at.toString();
  };
  const readAll = () => document.querySelectorAll("time:is([data-ago], [data-clock])").forEach(read);
  new MutationObserver(readAll).observe(document, { childList: true, subtree: true });
  setInterval(readAll, 5000);
})();
