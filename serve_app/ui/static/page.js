// A sentence with its values: t("{name} is sent", { name }). Python translates what stands in a script
// as t("...") before it is sent (words/translate.py). Numbers and times are written as the page's
// language does, in the reader's own variety of it.
window.t = (words, values = {}) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
window.telltaleLocale = navigator.languages.find((one) => one.startsWith(document.documentElement.lang))
  ?? document.documentElement.lang;

// A link to another theme or language leaves domain and place in the address.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('#chip a[href^="?"]');
  if (!link) return;
  event.preventDefault();
  const address = new URL(window.location.href);
  for (const [name, value] of new URL(link.href).searchParams) address.searchParams.set(name, value);
  window.location.assign(address);
});

// What a button offers to copy stands below it. Where the browser lends no clipboard, as without https,
// it is selected.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]"), of = button?.parentElement.nextElementSibling;
  if (!of) return;
  getSelection().selectAllChildren(of);
  await navigator.clipboard?.writeText(of.textContent);
});

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
  const UNITS = [
    [60, 1, (count) => t("{count} s ago", { count })],
    [3600, 60, (count) => t("{count} min ago", { count })],
    [86400, 3600, (count) => t("{count} h ago", { count })],
  ];
  const date = { day: "numeric", month: "short", year: "numeric" };
  const hour = { hour: "2-digit", minute: "2-digit" };

  const ago = (at) => {
    const seconds = Math.round((Date.now() - at) / 1000);
    if (seconds < 5) return t("just now");
    const [, length, said] = UNITS.find(([limit]) => seconds < limit) ?? [];
    return length ? said(Math.floor(seconds / length)) : at.toLocaleDateString(telltaleLocale, date);
  };
  const clock = (at) => {
    const today = at.toDateString() === new Date().toDateString();
    return at.toLocaleString(telltaleLocale, today ? hour : { ...date, ...hour });
  };
  const read = (time) => {
    const at = new Date(time.dateTime);
    const words = "ago" in time.dataset ? ago(at) : clock(at);
    if (time.textContent !== words) time.textContent = words;
    time.title ||= at.toLocaleString(telltaleLocale, { dateStyle: "full", timeStyle: "long" });
  };
  const begin = (title) => { // of a chart, whose values are there already
    const at = new Date(title.dataset.at).toLocaleTimeString(telltaleLocale);
    title.removeAttribute("data-at");
    title.textContent = `${at}: ${title.textContent}`;
  };
  const readAll = () => {
    document.querySelectorAll("time:is([data-ago], [data-clock])").forEach(read);
    document.querySelectorAll("title[data-at]").forEach(begin);
  };
  let waiting = 0;
  const readSoon = () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      readAll();
    });
  };
  new MutationObserver(readSoon).observe(document, { childList: true, subtree: true });
  setInterval(readAll, 5000);
})();
