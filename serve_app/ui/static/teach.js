// The review desk's keys: 1-9 choose a label, Enter accepts, X rejects, U undoes, J and K go on and
// back, space plays. After actions.js, on the form of decisions.
const form = () => element.querySelector("form");
const KEYS = { enter: "accept", x: "reject", u: "undo", j: "next", k: "previous" };

// Nobody decides upon a clip while another one is still what he sees.
element.addEventListener("click", (event) => {
  const decides = event.target.closest("[data-decides]");
  if (decides && document.querySelector("#shown [data-clip]")?.dataset.clip !== form().dataset.clip) {
    event.stopImmediatePropagation();
  }
}, true);

// What was chosen and typed was for the clip before.
let decided = form()?.dataset.clip;
watch("value", () => {
  if (form()?.dataset.clip === decided) return;
  decided = form()?.dataset.clip;
  form()?.reset();
  if (document.activeElement?.name === "label") document.activeElement.blur();
});

document.addEventListener("keydown", (event) => {
  const on = event.target;
  if (!form()?.offsetParent || event.ctrlKey || event.metaKey || event.altKey || !telltaleKey(event)) return;
  if (on !== document.body && !on.closest("#desk, [role=tab]")) return;
  if (on.matches("input:not([type=radio]), textarea, select, [contenteditable=true]")) return;
  const key = event.key.toLowerCase();
  if (event.repeat && !"jk".includes(key)) return; // one decision for each time that it is pressed
  const labels = element.querySelectorAll("input[name=label]");
  if (/^[1-9]$/.test(key) && labels[key - 1]) {
    labels[key - 1].checked = true;
    labels[key - 1].focus({ preventScroll: true });
  } else if (key === " " && !on.matches("button, a, summary, audio")) {
    const player = document.querySelector("#shown audio");
    if (player) player.paused ? player.play() : player.pause();
  } else if (KEYS[key] && !(key === "enter" && on.matches("button, a, summary"))) {
    element.querySelector(`[data-act=${KEYS[key]}]`)?.click();
  } else {
    return;
  }
  event.preventDefault();
});
