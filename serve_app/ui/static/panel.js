// The panel of several clips, or of a long recording, within gr.HTML. The job that listens to one is kept
// for this browser tab, so that a page that is loaded again goes on with it.
const KEPT = "telltale-job";
let before = sessionStorage.getItem(KEPT);
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-open], [data-stop], [data-again]");
  if (button?.dataset.open) trigger("open", { number: Number(button.dataset.open) });
  else if (button && "again" in button.dataset) trigger("submit");
  else if (button) trigger("stop");
});
watch("value", () => {
  const job = element.querySelector("[data-job]")?.dataset.job;
  if (job) sessionStorage.setItem(KEPT, job);
  else sessionStorage.removeItem(KEPT);
});
document.addEventListener("telltale-ready", () => { // what is taken is known
  if (before) trigger("resume", { job: before });
  before = null;
});
