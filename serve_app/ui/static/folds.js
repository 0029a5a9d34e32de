// What somebody has unfolded, or folded, stays so when Gradio draws it anew; but of something else,
// which its summary tells, it does not.
(() => {
  const of = (fold) => fold.firstElementChild.innerHTML.replace(/<time.*?<\/time>/g, "");
  document.addEventListener("click", (event) => {
    const fold = event.target.closest?.("summary")?.parentElement;
    if (fold) fold.kept = { open: !fold.open, of: of(fold) };
  });
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target.kept?.of !== of(target)) delete target.kept;
      // Setting it to what it is would be a change again, without an end.
      else if (target.open !== target.kept.open) target.open = target.kept.open;
    }
  }).observe(document, { attributeFilter: ["open"], subtree: true });
})();
