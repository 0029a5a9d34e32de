// Looks how the service stands for as long as the page is seen, and shows it: which version serves, or
// that nothing answers. Within gr.HTML, whose events tell what is to be asked anew: "found", the service
// answers and no domain is known yet; "moved", something of the domain has changed; "again", for what
// changes all the time; "teach", "models" or "health", the domain or the key has, with that place open.
const open = () => ["teach", "models", "health"]
  .find((place) => document.querySelector(`#place-${place}-button[aria-selected="true"]`));
const lost = `${t("The service does not answer right now.")} ${t("This page keeps trying by itself.")}`;
const calm_s = 4; // more, but with Models open, where a run that began elsewhere is to be seen at once
let domain = "", seen = "", waiting = 0, page;

const ask = async () => {
  try {
    const lang = new URL(location.href).searchParams.get("lang") ?? "";
    const signal = AbortSignal.timeout(8000);
    const answer = await fetch(`standing?${new URLSearchParams({ domain, lang })}`, { signal });
    return answer.ok ? await answer.json() : { away: lost };
  } catch {
    return { away: lost };
  }
};

const show = ({ away = "", serving, seen: [version] = [] }) => {
  if (element.textContent !== away) {
    const said = Object.assign(document.createElement("p"), { className: "tt-note tt-bad", role: "alert", textContent: away });
    element.replaceChildren(...(away ? [said] : []));
  }
  const place = document.querySelector("#serving");
  if (place && serving !== undefined && place.kept !== serving) place.innerHTML = place.kept = serving;
  for (const older of version ? document.querySelectorAll("[data-older]") : []) {
    older.hidden = version === (older.dataset.then ??= version);
  }
};

const look = async () => {
  clearTimeout(waiting);
  if (document.hidden) return;
  const of = domain, told = await ask();
  if (of !== domain) return; // another look is on its way
  if (told.page && told.page !== (page ??= told.page)) return location.reload(); // started anew
  clearTimeout(waiting);
  const calm = domain && !told.away && open() !== "models";
  waiting = setTimeout(look, 1000 * ((told.again_s ?? 2) + (calm ? calm_s : 0)));
  show(told);
  if (told.away) return;
  if (!domain) return trigger("found");
  const now = JSON.stringify(told.seen), moved = seen && now !== seen;
  seen = now;
  if (moved && open() === "models") trigger("moved");
  if (open() === "health") trigger("again");
};

document.addEventListener("telltale-turned", ({ detail }) => {
  if (detail.domain) [domain, seen] = [detail.domain, ""];
  if (open()) trigger(open());
  if (detail.domain) look();
});
document.addEventListener("visibilitychange", look);
document.addEventListener("click", ({ target }) => target.closest?.("[role=tab]") && setTimeout(look));
waiting = setTimeout(look, 1000);
