// The drop zone: takes files and records, and sends them to the page one by one. It runs within
// Gradio's HTML component, which gives it `element`, `props`, `trigger` and `upload`.
const say = (words, bad = false) => {
  const place = element.querySelector(".tt-said");
  place.textContent = words;
  place.className = `tt-said tt-note ${bad ? "tt-bad" : "tt-calm"}`;
  place.hidden = !words;
};
const zone = () => element.querySelector(".tt-drop");
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
      if (files.length > 1 || file.size > 4e6) say(files.length > 1
        ? t("Sending {count} of {all} …", { count: sent.length + 1, all: files.length }) : t("Sending {name} …", { name: file.name }));
      const { path } = await upload(file);
      sent.push({ path, name: file.name });
    }
    say("");
    trigger("upload", { files: sent });
  } catch {
    say(t("It did not arrive: the page cannot be reached, or takes no more right now. Try again in a moment."), true);
  }
};

// Recording: as it sounds, without what is meant for telephone calls.
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const DENIED = {
  NotAllowedError: t("The microphone was refused. Allow it beside the page's address in the browser, or choose a file."),
  NotFoundError: t("There is no microphone. Plug one in, or choose a file."),
  NotReadableError: t("Another program has the microphone. Close that, or choose a file."),
};
let recorder = null, permitting = false;

const record = async (button) => {
  if (recorder) return recorder.stop();
  if (permitting) return; // a second tap before the microphone is there
  if (!navigator.mediaDevices) return say(t("Browsers lend the microphone only to addresses with https. Choose a file instead."), true);
  let sound;
  permitting = true;
  try {
    sound = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
  } catch (error) {
    return say(DENIED[error.name] ?? t("There is no sound from the microphone: {why}", { why: error.message }), true);
  } finally {
    permitting = false;
  }
  say("");
  const parts = [], began = Date.now(), context = new AudioContext(), meter = context.createAnalyser();
  context.createMediaStreamSource(sound).connect(meter);
  recorder = new MediaRecorder(sound, { audioBitsPerSecond: 256000 });
  const level = new Float32Array(meter.fftSize);
  const show = () => {
    if (!recorder) return;
    meter.getFloatTimeDomainData(level);
    const loudest = level.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-4);
    const share = Math.max(0, 1 + Math.log10(loudest) / 3);
    button.style.setProperty("--level", `${100 * share}%`);
    button.textContent = t("Stop, {count} s", { count: Math.floor((Date.now() - began) / 1000) });
    requestAnimationFrame(show);
  };
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    const type = recorder.mimeType.split(";")[0];
    recorder = null;
    for (const track of sound.getTracks()) track.stop();
    context.close();
    button.textContent = t("Record");
    button.setAttribute("aria-pressed", "false");
    button.style.removeProperty("--level");
    send([new File(parts, `recording.${type.split("/")[1] ?? "webm"}`, { type })]);
  };
  button.setAttribute("aria-pressed", "true");
  recorder.start();
  show();
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do === "choose") element.querySelector("input").click();
  if (button?.dataset.do === "record") record(button);
  if (button?.dataset.example) trigger("example", { number: Number(button.dataset.example) });
});
element.addEventListener("change", (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // so that the same file can be chosen again
  send(files);
});
for (const moment of ["dragover", "dragleave", "drop"]) {
  element.addEventListener(moment, (event) => {
    event.preventDefault();
    zone().classList.toggle("tt-over-it", moment === "dragover");
    if (moment === "drop") send([...event.dataTransfer.files]);
  });
}
