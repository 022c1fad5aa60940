"use strict";

// A few conveniences of the admin site; everything works without them.

// Fields that belong to a choice are there only with it.
const follow = (item) => {
  const chooser = document.getElementById(item.dataset.with);
  if (!chooser) return;
  const values = item.dataset.withValues.split(",");
  const chosen = () => (chooser.type === "checkbox" ? (chooser.checked ? "y" : "") : chooser.value);
  const show = () => { item.hidden = !values.includes(chosen()); };
  chooser.addEventListener("change", show);
  show();
};
document.querySelectorAll("[data-with]").forEach(follow);

// What a text of a grammar of its own says is shown while it is typed.
for (const aid of document.querySelectorAll("[data-try]")) {
  const form = aid.closest("form");
  const names = aid.dataset.tryFields.split(" ").filter(Boolean);
  const part = aid.querySelector(".aid-part");
  let waiting = 0;
  const show = async () => {
    const address = new URL(aid.dataset.try, window.location);
    for (const name of names) if (form.elements[name]) address.searchParams.set(name, form.elements[name].value);
    try {
      const answer = await fetch(address, { credentials: "same-origin" });
      if (answer.ok && !answer.redirected) part.innerHTML = await answer.text();
    } catch { /* the server is away for a moment */ }
  };
  form.addEventListener("input", (event) => {
    if (!names.includes(event.target.name)) return;
    clearTimeout(waiting);
    waiting = setTimeout(show, 250);
  });
}
for (const button of document.querySelectorAll(".no-script")) button.hidden = true;

// What was typed and not saved is not lost without a word.
for (const form of document.querySelectorAll("[data-unsaved]")) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

// What cannot be undone asks; without script the server does, on a page of its own. Parts of the page come anew: the page listens.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sure]");
  if (!button) return;
  event.preventDefault();
  if (!window.confirm(button.dataset.sure)) return;
  const sure = document.createElement("input");
  sure.type = "hidden";
  sure.name = "sure";
  sure.value = "y";
  button.form.append(sure);
  button.form.submit();
});

// On a narrow screen the menu begins closed, and of many filters the search alone is there, until more are asked for.
const menu = document.querySelector(".admin-menu");
if (menu && window.matchMedia("(max-width: 61.99rem)").matches) menu.open = false;
const unfold = document.querySelector("[data-unfold]");
if (unfold && window.matchMedia("(max-width: 40rem)").matches) {
  unfold.hidden = false;
  unfold.form.classList.add("is-folded");
  unfold.addEventListener("click", () => {
    unfold.hidden = true;
    unfold.form.classList.remove("is-folded");
    unfold.form.querySelector(".filter + .filter :is(input, select)").focus();
  });
}

// A prompt is heard on its page.
let sound = null;
for (const link of document.querySelectorAll("[data-play]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (sound) sound.pause();
    sound = new Audio(link.href);
    sound.play();
  });
}

// A part of a page that changes by itself is fetched again and again, as long as somebody looks at it.
const keepAlive = (part) => {
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.live, { credentials: "same-origin", headers: { Accept: "text/html" } });
        if (!answer.ok || answer.redirected) return;
        const text = await answer.text();
        const busy = part.contains(document.activeElement) && document.activeElement !== document.body;
        if (!busy && part.innerHTML !== text) part.innerHTML = text;
        if (part.querySelector("[data-over]")) return;
      } catch { /* the server is away for a moment */ }
    }
    setTimeout(look, Number(part.dataset.liveMs));
  };
  setTimeout(look, Number(part.dataset.liveMs));
};
document.querySelectorAll("[data-live]").forEach(keepAlive);
