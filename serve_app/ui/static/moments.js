// Plays what is drawn. A figure stands beside its recording in .tt-sound: a line shows where it is
// heard, a click anywhere in it plays from there, one on what glows that moment alone. A button with data-play is a recording's address,
// with data-from and data-to a moment of it.
(() => {
  const soundOf = (part) => part.closest(".tt-sound")?.querySelector("audio");

  const drawn = new Set(); // players whose line is drawn anew at each frame
  const draw = (player) => {
    drawn.delete(player);
    const figure = player.parentElement.querySelector(".tt-scope");
    if (figure && player.duration) {
      figure.style.setProperty("--at", `${(100 * player.currentTime) / player.duration}%`);
      figure.classList.add("tt-heard");
    }
    if (player.currentTime >= player.until) player.pause();
    if (player.paused || !player.isConnected) return void (player.until = Infinity);
    drawn.add(player);
    requestAnimationFrame(() => draw(player));
  };
  for (const moment of ["play", "seeked"]) {
    document.addEventListener(moment, (event) => {
      if (event.target.closest?.(".tt-sound") && !drawn.has(event.target)) draw(event.target);
    }, true);
  }

  document.addEventListener("click", (event) => {
    const plot = event.target.closest?.(".tt-wide"), glow = event.target.closest?.(".tt-glow");
    const player = plot && soundOf(plot);
    if (!player || !player.duration) return;
    const box = plot.getBoundingClientRect();
    player.until = Number(glow?.dataset.to ?? Infinity);
    player.currentTime = glow?.dataset.from ?? ((event.clientX - box.left) / box.width) * player.duration;
    player.play();
  });

  document.addEventListener("input", (event) => {
    const slider = event.target.closest?.(".tt-strength input");
    const masks = slider?.parentElement.previousElementSibling.querySelectorAll(".tt-mask") ?? [];
    for (const mask of masks) mask.style.opacity = slider.value / 100;
  });

  const moments = new Audio();
  const what = ({ dataset: { play, from, to } }) => [play, from, to].join();
  let until = Infinity, playing = null, its = "";
  const stop = () => {
    moments.pause();
    playing?.setAttribute("aria-pressed", "false");
    playing = null;
  };
  // Until the moment has ended, or its button is gone, or is another's.
  const watch = () => {
    if (!playing) return;
    if (moments.currentTime >= until || !playing.isConnected || what(playing) !== its) return stop();
    if (!document.hidden) requestAnimationFrame(watch);
  };
  moments.addEventListener("timeupdate", () => document.hidden && watch());
  moments.addEventListener("ended", stop);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-play]");
    if (!button) return;
    const again = button === playing;
    stop();
    if (again) return;
    [playing, its] = [button, what(button)];
    button.setAttribute("aria-pressed", "true");
    if (button.sign) button.textContent = button.sign;
    until = Number(button.dataset.to ?? Infinity);
    const address = new URL(button.dataset.play, document.baseURI).href;
    if (moments.src !== address) moments.src = address;
    moments.currentTime = Number(button.dataset.from ?? 0);
    try {
      await moments.play();
      watch();
    } catch (error) {
      if (error.name === "AbortError") return;
      stop();
      button.sign ??= button.textContent;
      button.title = button.textContent = t("cannot be played here");
    }
  });
})();
