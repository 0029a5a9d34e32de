// The drop zone: takes files and records, and sends them to the page one by one. It runs within
// Gradio's HTML component, which gives it `element`, `props`, `trigger` and `upload`.
const say = (words, bad = false) => {
  const place = element.querySelector(".tt-said");
  if (place.textContent !== words) place.textContent = words;
  place.className = `tt-said tt-note ${bad ? "tt-bad" : "tt-calm"}`;
  place.hidden = !words;
  element.querySelector("[data-do=stop]").hidden = !sending;
};
const zone = () => element.querySelector(".tt-drop");
// As Gradio's own upload, and tells how far it is; `sending` can be stopped.
let sending = null;
const uploaded = (file, tell) => new Promise((resolve, reject) => {
  const form = new FormData();
  form.append("files", file);
  sending = new XMLHttpRequest();
  sending.open("POST", "gradio_api/upload");
  sending.upload.onprogress = ({ loaded, total }) => tell(Math.floor((100 * loaded) / total));
  sending.onload = ({ target }) => {
    if (target.status === 200) resolve(JSON.parse(target.responseText)[0]);
    else reject(target.getResponseHeader("retry-after"));
  };
  sending.onerror = () => reject();
  sending.onabort = () => reject("stopped");
  sending.send(form);
  tell(0);
}).finally(() => (sending = null));
// One after another: what is dropped or recorded while an earlier one is sent waits for that.
let earlier = Promise.resolve();
const send = (files) => (earlier = earlier.then(() => sendNow(files)));

const sendNow = async (files) => {
  if (!files.length) return;
  const most = Number(zone().dataset.mostBytes), many = Number(zone().dataset.mostFiles);
  const large = files.find((file) => file.size > most);
  if (large) return say(t("{name} has {size} MB; at most {most} MB are taken here. The API takes more.", { name: large.name, size: Math.ceil(large.size / 1e6), most: Math.floor(most / 1e6) }), true);
  if (files.length > many) return say(t("These are {count} files; at most {most} are taken at once.", { count: files.length, most: many }), true);
  const sent = [];
  try {
    for (const file of files) {
      const path = await uploaded(file, (share) => {
        if (files.length > 1) say(t("Sending {count} of {all} …", { count: sent.length + 1, all: files.length }));
        else if (file.size > 4e6) say(t("Sending {name}: {share} %", { name: file.name, share }));
      });
      sent.push({ path, name: file.name });
    }
    say("");
  } catch (why) { // "stopped", or after how many seconds the page takes more, if it says so
    if (why === "stopped") return say(t("Stopped."));
    const lost = why
      ? t("The page takes no more right now; try again in {wait_s} s.", { wait_s: why })
      : t("It did not arrive: the page cannot be reached, or takes no more right now. Try again in a moment.");
    const some = sent.length ? t("{count} of {all} arrived.", { count: sent.length, all: files.length }) : "";
    say(`${some} ${lost}`.trim(), true);
  }
  if (sent.length) trigger("upload", { files: sent });
};

// Recording: as it sounds, without what is meant for telephone calls.
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const DENIED = {
  NotAllowedError: t("The microphone was refused. Allow it beside the page's address in the browser, or choose a file."),
  NotFoundError: t("There is no microphone. Plug one in, or choose a file."),
  NotReadableError: t("Another program has the microphone. Close that, or choose a file."),
};
let recorder = null, permitting = false, discarded = false;

const record = async (button) => {
  if (recorder) return recorder.stop();
  if (permitting) return; // a second tap before the microphone is there
  if (!navigator.mediaDevices) return say(t("Browsers lend the microphone only to addresses with https. Choose a file instead."), true);
  let sound, context;
  const release = () => {
    recorder = null;
    for (const track of sound?.getTracks() ?? []) track.stop();
    context?.close();
  };
  permitting = true;
  try {
    sound = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
    if (!button.offsetParent) return release(); // turned to photographs meanwhile
    context = new AudioContext();
    hear(button, sound, context, release);
  } catch (error) {
    release();
    say(DENIED[error.name] ?? t("There is no sound from the microphone: {why}", { why: error.message }), true);
  } finally {
    permitting = false;
  }
};

const hear = (button, sound, context, release) => {
  const parts = [], began = Date.now(), meter = context.createAnalyser();
  context.createMediaStreamSource(sound).connect(meter);
  recorder = new MediaRecorder(sound, { audioBitsPerSecond: 256000 });
  const level = new Float32Array(meter.fftSize);
  const show = () => {
    if (!recorder) return;
    meter.getFloatTimeDomainData(level);
    const loudest = level.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-4);
    const share = Math.max(0, 1 + Math.log10(loudest) / 3);
    button.style.setProperty("--level", `${100 * share}%`);
    const count = `${Math.floor((Date.now() - began) / 1000)} s`;
    if (seconds.textContent !== count) seconds.textContent = count;
    requestAnimationFrame(show);
  };
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    const type = recorder.mimeType.split(";")[0];
    release();
    button.textContent = t("Record");
    button.classList.remove("tt-on");
    button.style.removeProperty("--level");
    if (!discarded) send([new File(parts, `recording.${type.split("/")[1] ?? "webm"}`, { type })]);
  };
  recorder.start();
  discarded = false;
  say("");
  // Not in its name: a screen reader would say it each second.
  const seconds = document.createElement("span");
  seconds.ariaHidden = "true";
  button.replaceChildren(`${t("Stop")} `, seconds);
  button.classList.add("tt-on");
  show();
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do === "choose") element.querySelector("input").click();
  if (button?.dataset.do === "record") record(button);
  if (button?.dataset.do === "stop") sending?.abort();
  if (button?.dataset.example) trigger("example", { number: Number(button.dataset.example) });
});
element.addEventListener("change", (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // so that the same file can be chosen again
  send(files);
});
document.addEventListener("change", (event) => { // it was recorded for the domain before
  if (!recorder || !event.target.closest?.("#domain")) return;
  discarded = true;
  recorder.stop();
});
// Beside the zone, where the browser would leave the page for the file.
for (const moment of ["dragover", "drop"]) {
  document.addEventListener(moment, (event) => event.target.matches?.("input[type=file]") || event.preventDefault());
}
for (const moment of ["dragover", "dragleave", "drop"]) {
  element.addEventListener(moment, (event) => {
    event.preventDefault();
    zone().classList.toggle("tt-over-it", moment === "dragover");
    if (moment === "drop") send([...event.dataTransfer.files]);
  });
}
