// Lets the recorder take any file. Gradio refuses what the browser declares as other than audio:
// WebM, MP4 and 3G2 are declared as video, AMR often as nothing. What a file is, the service tells
// by its bytes, and it refuses in words that name formats.
(() => {
  const passedOn = new WeakSet();

  const declared = (files) => {
    const all = new DataTransfer();
    for (const file of files) {
      const known = file.type.startsWith("audio/");
      all.items.add(known ? file : new File([file], file.name, { type: "audio/wav" }));
    }
    return all;
  };

  const isClipInput = (target) => target instanceof Element && target.matches("#clip input[type=file]");

  // The dialog would grey them out.
  document.addEventListener("click", (event) => {
    if (isClipInput(event.target)) event.target.removeAttribute("accept");
  }, true);

  document.addEventListener("change", (event) => {
    if (isClipInput(event.target)) event.target.files = declared(event.target.files).files;
  }, true);

  document.addEventListener("drop", (event) => {
    const inside = event.target instanceof Element && event.target.closest("#clip");
    if (!inside || passedOn.has(event) || !event.dataTransfer.files.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const dataTransfer = declared(event.dataTransfer.files);
    const again = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer });
    passedOn.add(again);
    event.target.dispatchEvent(again);
  }, true);
})();
