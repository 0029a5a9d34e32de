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
