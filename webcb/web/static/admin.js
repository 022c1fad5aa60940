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

// What was typed and not saved is not lost without a word.
for (const form of document.querySelectorAll("[data-unsaved]")) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

// On a narrow screen the menu begins closed.
const menu = document.querySelector(".admin-menu");
if (menu && window.matchMedia("(max-width: 61.99rem)").matches) menu.open = false;

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
