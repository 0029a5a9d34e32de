// Live: what the microphone hears goes to the service as it sounds, and what is told of it lands on a
// spectrogram that scrolls. The drop zone's button begins and ends it; the domain is in its data-live.
// Within gr.HTML, which gives `element`, `trigger` and `upload`.
const SECOND_PX = 75, LISTED = 10, KEPT_S = 60, ENDED = [1006, 1012], ENDINGS = 3, BLOCK = 2048, HEIGHT = 160, TOP_HZ = 8000, PATIENCE_MS = 5000;
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const DENIED = {
  NotAllowedError: t("The microphone was refused. Allow it beside the page's address in the browser."),
  NotFoundError: t("There is no microphone."),
  NotReadableError: t("Another program has the microphone."),
};
const CAPTURE = `registerProcessor("capture", class extends AudioWorkletProcessor {
  process([input]) { if (input[0]) this.port.postMessage(input[0]); return true; }
});`;
const NIGHT = [[10, 17, 30], [20, 58, 92], [16, 126, 137], [122, 211, 170], [253, 247, 214]]; // palette_png.py
const part = (css) => element.querySelector(css);
const button = () => document.querySelector("#drop [data-do=live]");
const domain = () => document.querySelector("#drop [data-live]")?.dataset.live;
const say = (words, bad = false) => {
  part(".tt-said").textContent = words;
  part(".tt-said").className = `tt-said tt-note ${bad ? "tt-bad" : "tt-calm"}`;
};
const AGAIN_S = 5;
// What stands before the service's own English, where the page speaks another language.
const REFUSED = {
  401: t("A key is needed"),
  403: t("This key does not allow that"),
  408: t("It came too slowly"),
  413: t("It is too large"),
  503: t("The service does not answer right now"),
};
const worded = ({ status, detail }) => {
  if (document.documentElement.lang === "en") return detail;
  return t("{heading}: {detail}", { heading: REFUSED[status] ?? t("Something went wrong"), detail });
};
const percent = (share) => (share > 0.995 ? t("over 99 %") : `${Math.round(100 * share)} %`);
const colour = (level) => {
  const at = (level / 256) * (NIGHT.length - 1), low = Math.floor(at);
  return NIGHT[low].map((one, i) => one + (at - low) * (NIGHT[low + 1][i] - one));
};

let live = null; // what goes on: socket, sound, context, what was captured

async function begin(key) {
  if (!navigator.mediaDevices) return ask(t("Browsers lend the microphone only to addresses with https. Choose a file instead."));
  live = { domain: domain(), key, block: new Int16Array(BLOCK), skipped: 0, endings: 0, ...fresh() };
  const mine = live;
  element.firstElementChild.hidden = false;
  [...part("ol").children].forEach(forget);
  part(".tt-words").replaceChildren();
  show(mine);
  say(t("Connecting …"));
  try {
    mine.sound = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
    for (const track of mine.sound.getTracks()) track.onended = stop; // it was pulled out
    mine.context = new AudioContext();
    const capture = URL.createObjectURL(new Blob([CAPTURE], { type: "text/javascript" }));
    await mine.context.audioWorklet.addModule(capture).finally(() => URL.revokeObjectURL(capture));
  } catch (error) {
    end(mine);
    return say(DENIED[error.name] ?? t("There is no sound from the microphone: {why}", { why: error.message }), true);
  }
  if (live !== mine) return end(mine);
  listen(mine);
  connect(mine);
}

function listen(mine) {
  const source = mine.context.createMediaStreamSource(mine.sound);
  const capture = new AudioWorkletNode(mine.context, "capture");
  mine.meter = mine.context.createAnalyser();
  Object.assign(mine.meter, { fftSize: 2048, smoothingTimeConstant: 0, minDecibels: -95, maxDecibels: -25 });
  source.connect(mine.meter);
  source.connect(capture);
  capture.port.onmessage = ({ data }) => {
    if (mine.socket?.readyState !== WebSocket.OPEN) return; // its clock starts with the first sample
    for (const one of data) {
      mine.block[mine.samples++ % BLOCK] = Math.max(-1, Math.min(1, one)) * 32767;
      if (mine.samples % BLOCK) continue;
      mine.socket.send(mine.block);
      mine.blocks.push(mine.block);
      mine.block = new Int16Array(BLOCK);
      if (mine.blocks.length > (KEPT_S * mine.context.sampleRate) / BLOCK) mine.blocks.shift();
    }
  };
  const canvas = part("canvas");
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = HEIGHT;
  canvas.getContext("2d").clearRect(0, 0, canvas.width, HEIGHT);
  const paint = () => {
    if (live !== mine || mine.ending) return;
    if (canvas.clientWidth) draw(mine, canvas); // another place may be open
    requestAnimationFrame(paint);
  };
  paint();
}

function draw(mine, canvas) {
  const heard_s = mine.samples / mine.context.sampleRate, scale = SECOND_PX * (canvas.width / canvas.clientWidth);
  const level = new Float32Array(mine.meter.fftSize), power = new Uint8Array(mine.meter.frequencyBinCount);
  mine.meter.getFloatTimeDomainData(level);
  const loudest = level.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-4);
  button()?.style.setProperty("--level", `${Math.max(0, 100 * (1 + Math.log10(loudest) / 3))}%`);
  const seconds = button()?.querySelector("span"), count = `${Math.floor(heard_s)} s`;
  if (seconds && seconds.textContent !== count) seconds.textContent = count;
  const missed = Math.floor((heard_s - mine.drawn_s) * scale), width = Math.min(canvas.width, missed);
  if (width > 0) {
    mine.drawn_s += missed / scale;
    mine.meter.getByteFrequencyData(power);
    const pen = canvas.getContext("2d"), column = pen.createImageData(width, HEIGHT);
    const mel = 2595 * Math.log10(1 + TOP_HZ / 700), bin_hz = mine.context.sampleRate / mine.meter.fftSize;
    for (let y = 0; y < HEIGHT; y++) {
      const hz = 700 * (10 ** (((1 - y / HEIGHT) * mel) / 2595) - 1);
      const rgb = colour(power[Math.min(power.length - 1, Math.round(hz / bin_hz))]);
      for (let x = 0; x < width; x++) column.data.set([...rgb, 255], 4 * (y * width + x));
    }
    pen.drawImage(canvas, -width, 0);
    pen.putImageData(column, canvas.width - width, 0);
  }
  part(".tt-words").style.transform = `translateX(${canvas.clientWidth - heard_s * SECOND_PX}px)`;
}

function connect(mine) {
  const address = new URL(`../${mine.domain}/stream`, document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = (mine.socket = new WebSocket(address));
  let why = "";
  socket.onopen = () => socket.send(JSON.stringify({ format: "pcm16", sample_rate_hz: mine.context.sampleRate, key: mine.key }));
  socket.onmessage = ({ data }) => {
    const said = JSON.parse(data);
    if (said.type === "prediction") mine.endings = 0;
    if (said.type === "error") {
      if (said.status === 401 && mine.key) [mine.again, mine.key] = [true, ""];
      mine.busy = said.status === 429;
      why = worded(said);
    } else if (said.type === "ready") {
      mine.window_s = said.window_s;
      say([t("Listening."), said.disclaimer].join(" "));
    } else if (said.type === "prediction" && said.skipped) {
      mine.skipped += said.skipped;
      say(t("The service is busy. Moments that were not heard: {count}.", { count: mine.skipped }));
    } else if (said.type === "event") told(mine, said);
  };
  socket.onclose = ({ code, reason }) => {
    if (live !== mine) return;
    if (mine.busy && !mine.ending) {
      say(t("The service is busy: asking again in {wait_s} s.", { wait_s: AGAIN_S }));
      return void setTimeout(anew, 1000 * AGAIN_S, mine);
    }
    if (mine.again) return anew(mine);
    const ended = ENDED.includes(code) && mine.window_s; // its replica: another may go on
    if (ended && !mine.ending && ++mine.endings < ENDINGS) return void setTimeout(anew, 300 * mine.endings, mine);
    const well = code === 1000 || (ended && mine.ending);
    cutOpen(mine);
    end(mine);
    why ||= reason || t("the connection was lost; try again in a moment");
    say(well ? t("Stopped.") : t("{why}.", { why: `${why[0].toUpperCase()}${why.slice(1)}` }), !well);
  };
}

// The clock of one connection, whose moments begin with its first sample.
const fresh = () => ({ begun: Date.now(), samples: 0, drawn_s: 0, blocks: [] });
// What goes on when nobody is there any more to tell how it ends.
function cutOpen(mine) {
  const end_s = mine.samples / mine.context.sampleRate;
  for (const row of part("ol").children) if (!row.file) told(mine, { ...row.event, end_s, ended: true });
}
function anew(mine) {
  if (live !== mine) return;
  cutOpen(mine);
  Object.assign(mine, { again: false, busy: false, ...fresh() });
  part(".tt-words").replaceChildren(); // they lie by the clock of the stream before
  connect(mine);
}

// An event is told when it is long enough, and again when it has ended: only then can it be heard.
function told(mine, event) {
  const name = `${mine.begun} ${event.label} ${event.start_s}`, known = [...part("ol").children].find((one) => one.name === name);
  if (event.ended && !known) return; // ten others have begun since
  const row = known ?? document.createElement("li"), label = event.label.replaceAll("_", " ");
  const clock = new Date().toLocaleTimeString(telltaleLocale, { hourCycle: "h23" });
  row.innerHTML = `<time></time><b></b><span>${percent(event.confidence)}</span>${event.ended
    ? `<button type="button" class="tt-mini" aria-label="${t("Play")}" aria-pressed="false">▶</button><button type="button" class="tt-mini" data-its>${t("It is …")}</button>` : ""}`;
  row.querySelector("time").textContent = (row.dataset.clock ??= clock);
  row.querySelector("b").textContent = label;
  if (event.ended) {
    const file = cut(mine, event);
    row.file = new File([file], `live ${row.dataset.clock.replaceAll(":", ".")}.wav`, { type: "audio/wav" });
    row.recording = mine.recording ??= `live-${crypto.randomUUID?.() ?? Date.now()}`;
    row.querySelector("[aria-pressed]").dataset.play = URL.createObjectURL(row.file);
  }
  if (known) return;
  Object.assign(row, { name, event });
  part("ol").prepend(row);
  const word = document.createElement("b");
  word.textContent = label;
  word.style.left = `${event.start_s * SECOND_PX}px`;
  part(".tt-words").append(word);
  while (part("ol").children.length > LISTED) forget(part("ol").lastChild);
  while (part(".tt-words").children.length > LISTED) part(".tt-words").firstChild.remove();
}

function forget(row) {
  URL.revokeObjectURL(row.querySelector("[data-play]")?.dataset.play);
  row.remove();
}

// The moment as WAV, a window long at least.
function cut(mine, event) {
  const rate = mine.context.sampleRate, spare_s = Math.max(0, mine.window_s - (event.end_s - event.start_s)) / 2;
  const kept = new Int16Array(mine.blocks.length * BLOCK + (mine.samples % BLOCK));
  [...mine.blocks, mine.block.subarray(0, mine.samples % BLOCK)].forEach((one, i) => kept.set(one, i * BLOCK));
  const gone = mine.samples - kept.length;
  const [from, to] = [event.start_s - spare_s, event.end_s + spare_s].map((s) => Math.max(0, Math.round(s * rate) - gone));
  const sound = kept.slice(from, to), head = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((one, i) => head.setUint8(at + i, one.charCodeAt(0)));
  text(0, "RIFF"); text(8, "WAVEfmt "); text(36, "data");
  head.setUint32(4, 36 + sound.byteLength, true);
  head.setUint32(16, 16, true);
  [1, 1].forEach((one, i) => head.setUint16(20 + 2 * i, one, true)); // PCM, of one channel
  head.setUint32(24, rate, true);
  head.setUint32(28, 2 * rate, true);
  [2, 16].forEach((one, i) => head.setUint16(32 + 2 * i, one, true));
  head.setUint32(40, sound.byteLength, true);
  return new Blob([head, sound]);
}

function stop() {
  if (!live || live.ending) return;
  if (live.socket?.readyState === WebSocket.OPEN) {
    live.ending = true; // what is still to be told comes before the service closes
    if (live.samples % BLOCK) live.socket.send(live.block.subarray(0, live.samples % BLOCK));
    live.socket.send("end");
    say(t("Stopping …"));
    release(live);
    setTimeout(left, PATIENCE_MS, live);
  } else left(live);
}
function left(mine) {
  if (live !== mine) return; // the service has closed it well
  mine.socket?.close();
  if (mine.context) cutOpen(mine);
  end(mine);
  say(t("Stopped."));
}
function release(mine) {
  for (const track of mine.sound?.getTracks() ?? []) track.stop();
  if (mine.context && mine.context.state !== "closed") mine.context.close();
  show(null);
}
function end(mine) {
  release(mine);
  if (live === mine) live = null;
}
function show(going) {
  const one = button();
  if (!one) return;
  one.classList.toggle("tt-on", Boolean(going));
  one.style.removeProperty("--level");
  one.innerHTML = going ? `${t("Stop")} <span aria-hidden="true"></span>` : t("Live");
}
function ask(words) {
  element.firstElementChild.hidden = false;
  say(words, true);
}

const pressed = (event) => {
  if (event.target.closest?.("#drop [data-do=live]")) live ? stop() : begin(sessionStorage.getItem("telltale-key") ?? "");
};
document.addEventListener("click", pressed);
document.addEventListener("change", (event) => { // what was heard was of the domain before
  if (!event.target.closest?.("#domain")) return;
  stop();
  element.firstElementChild.hidden = true;
});
element.addEventListener("click", async (event) => {
  const row = event.target.closest("[data-its]")?.closest("li");
  if (!row) return;
  try {
    const { path } = await upload(row.file);
    trigger("upload", { files: [{ path, name: row.file.name, recording: row.recording }] });
    document.querySelector("#answer").scrollIntoView({ behavior: "smooth", block: "nearest" });
  } catch {
    say(t("It did not arrive: the page cannot be reached, or takes no more right now. Try again in a moment."), true);
  }
});
