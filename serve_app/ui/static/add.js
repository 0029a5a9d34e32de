// Adds clips: files, a folder whose folders are labels, masks beside photographs. They are uploaded
// one by one, so that a lost connection costs only what is after it; then one event names those that came.
const most = 60; // with their masks as many as the page takes of one event (guard.py)
const line = () => element.querySelector("[data-progress]");
const stem = (name) => name.replace(/\.[^.]*$/, "").toLowerCase();
const folder = (file) => file.webkitRelativePath.split("/").slice(-2, -1)[0] || "";
const hidden = (file) => file.name.startsWith(".");
let stopped = false, uploading = false, lot = 0;

async function add(form) {
  const chosen = (name) => [...(form.elements[name]?.files || [])].filter((file) => !hidden(file));
  const files = [...chosen("clips"), ...chosen("folder")];
  const masks = new Map(chosen("masks").map((file) => [stem(file.name), file]));
  if (!files.length) return void (line().textContent = t("Choose files or a folder first."));
  if (files.length > most) return void (line().textContent = t("At most {most} clips at once.", { most }));
  const twice = masks.size < chosen("masks").length ? chosen("masks") : files.filter((file) => masks.has(stem(file.name)));
  const same = twice.find((one, at) => twice.findIndex((other) => stem(other.name) === stem(one.name)) < at);
  if (same) return void (line().textContent = t("More than one is called {name}: whose mask is whose cannot be told. Add them one after the other.", { name: same.name }));
  const label = new FormData(form).get("for-all") || "";
  const items = [];
  let broke = "";
  [stopped, uploading] = [false, true];
  form.classList.add("tt-working");
  try {
    for (const file of files) {
      if (stopped) break;
      line().textContent = t("Uploading {count} of {all}: {name}", { count: items.length + 1, all: files.length, name: file.name });
      const { path } = await upload(file);
      const mask = masks.get(stem(file.name));
      items.push({ path, label: label || (mask ? "" : folder(file)), mask: mask ? await upload(mask) : null });
    }
  } catch (error) {
    const values = { why: error?.message || error, count: items.length, all: files.length };
    broke = t("The upload broke off after {count} of {all}: {why}. Add the others again.", values);
  }
  uploading = false;
  line().textContent = broke;
  if (!items.length) return form.classList.remove("tt-working"); // else once they are added (teach_add.py)
  trigger("submit", { lot: ++lot, items: items.map(({ path, label, mask }) =>
    ({ path, label, mask: mask && { path: mask.path } })) });
}

element.addEventListener("submit", (event) => event.preventDefault());
element.addEventListener("click", (event) => {
  if (event.target.closest("#add")) add(element.querySelector("form"));
  if (event.target.closest("#stop-adding")) uploading ? (stopped = true) : trigger("stop", { lot });
});
