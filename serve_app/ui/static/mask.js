// Draws and erases on the photograph that was answered, beginning from the model's mask. Within
// gr.HTML; the picture is #figure's, whose overlay the canvas takes the place of.
const GLOW = "rgb(255 64 48)"; // photograph_figure.py
const figure = () => document.querySelector("#figure .tt-seen");
const canvas = () => document.querySelector("#figure canvas.tt-mask");
const most = 10;

function begin() {
  const photograph = figure().querySelector("img.tt-photo"), mask = figure().querySelector("img.tt-mask");
  const layer = document.createElement("canvas");
  [layer.width, layer.height] = [photograph.naturalWidth, photograph.naturalHeight];
  layer.className = "tt-mask tt-drawing";
  if (mask) layer.getContext("2d").drawImage(mask, 0, 0, layer.width, layer.height);
  if (mask) layer.style.opacity = mask.style.opacity;
  if (mask) mask.hidden = true;
  figure().append(layer);
  layer.earlier = []; // as it was before each stroke
  for (const moment of ["pointerdown", "pointermove"]) layer.addEventListener(moment, stroke);
}

function stroke(event) {
  const layer = event.target;
  if (event.type === "pointermove" && !layer.hasPointerCapture(event.pointerId)) return; // begun elsewhere
  const pen = layer.getContext("2d", { willReadFrequently: true });
  const box = layer.getBoundingClientRect(), scale = layer.width / box.width;
  const at = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  if (event.type === "pointerdown") {
    layer.setPointerCapture(event.pointerId);
    layer.earlier.push(pen.getImageData(0, 0, layer.width, layer.height));
    if (layer.earlier.length > most) layer.earlier.shift();
    layer.from = at;
  }
  pen.globalCompositeOperation = element.querySelector("#erase").checked ? "destination-out" : "source-over";
  Object.assign(pen, { strokeStyle: GLOW, lineCap: "round", lineWidth: element.querySelector("[name=width]").value * scale });
  pen.beginPath();
  pen.moveTo(...layer.from);
  pen.lineTo(...at);
  pen.stroke();
  layer.from = at;
}

function undo() {
  const last = canvas().earlier.pop();
  if (last) canvas().getContext("2d").putImageData(last, 0, 0);
}

async function use() {
  const said = element.querySelector(".tt-said"), drawn = document.createElement("canvas");
  [drawn.width, drawn.height] = [canvas().width, canvas().height];
  const pixels = canvas().getContext("2d").getImageData(0, 0, drawn.width, drawn.height);
  let some = false;
  for (let at = 0; at < pixels.data.length; at += 4) {
    const inside = pixels.data[at + 3] > 127;
    pixels.data.fill(inside ? 255 : 0, at, at + 4);
    some ||= inside;
  }
  said.textContent = some ? "" : t("Nothing is drawn. If there is nothing in it, choose that above.");
  if (!some) return;
  drawn.getContext("2d").putImageData(pixels, 0, 0);
  const png = await new Promise((done) => drawn.toBlob(done, "image/png"));
  try {
    const { path } = await upload(new File([png], "drawn-mask.png", { type: "image/png" }));
    trigger("upload", { path });
    said.textContent = t("It is above now, as the mask: send it.");
  } catch {
    said.textContent = t("It did not arrive: the page cannot be reached right now. Try again in a moment.");
  }
}

// What is shown again is seen as it was answered, though Gradio draws nothing where all is the same.
document.addEventListener("click", (event) => {
  if (!canvas() || !event.target.closest?.("#history [data-act]")) return;
  canvas().remove();
  figure().querySelectorAll("img").forEach((one) => (one.hidden = false));
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) ({ begin, undo, use })[button.dataset.do]();
  if (button && button.dataset.do !== "use") element.querySelector(".tt-said").textContent = "";
});
