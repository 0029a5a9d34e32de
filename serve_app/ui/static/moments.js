// Plays what is drawn. A figure stands beside its recording in .tt-sound: a line shows where it is
// heard, a click anywhere in it plays from there. A button with data-play is a recording's address,
// with data-from and data-to a moment of it.
(() => {
  const soundOf = (part) => part.closest(".tt-sound")?.querySelector("audio");

  const draw = (player) => {
    const figure = player.parentElement.querySelector(".tt-scope");
    if (figure && player.duration) {
      figure.style.setProperty("--at", `${(100 * player.currentTime) / player.duration}%`);
      figure.classList.add("tt-heard");
    }
    if (!player.paused && player.isConnected) requestAnimationFrame(() => draw(player));
  };
  for (const moment of ["play", "seeked"]) {
    document.addEventListener(moment, (event) => {
      if (event.target.closest?.(".tt-sound")) draw(event.target);
    }, true);
  }

  document.addEventListener("click", (event) => {
    const plot = event.target.closest?.(".tt-wide");
    const player = plot && soundOf(plot);
    if (!player || !player.duration) return;
    const box = plot.getBoundingClientRect();
    player.currentTime = ((event.clientX - box.left) / box.width) * player.duration;
    player.play();
  });

  document.addEventListener("input", (event) => {
    const slider = event.target.closest?.(".tt-strength input");
    const mask = slider?.parentElement.previousElementSibling.querySelector(".tt-mask");
    if (mask) mask.style.opacity = slider.value / 100;
  });

  const moments = new Audio();
  let until = Infinity, playing = null;
  const stop = () => {
    moments.pause();
    playing?.setAttribute("aria-pressed", "false");
    playing = null;
  };
  moments.addEventListener("timeupdate", () => moments.currentTime >= until && stop());
  moments.addEventListener("ended", stop);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-play]");
    if (!button) return;
    const again = button === playing;
    stop();
    if (again) return;
    playing = button;
    button.setAttribute("aria-pressed", "true");
    until = Number(button.dataset.to ?? Infinity);
    const address = new URL(button.dataset.play, document.baseURI).href;
    if (moments.src !== address) moments.src = address;
    moments.currentTime = Number(button.dataset.from ?? 0);
    try {
      await moments.play();
    } catch (error) {
      if (error.name === "AbortError") return;
      stop();
      button.title = button.textContent = t("cannot be played here");
    }
  });
})();
