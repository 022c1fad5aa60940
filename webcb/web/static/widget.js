// The button on an operator's own site: <script src="https://.../widget/PATH.js" defer></script>. Sets no cookie, asks nobody but its own
// server, and needs of a content security policy only that server in script-src and connect-src.
"use strict";

(() => {
  const ASK_MS = 1500;
  const own = document.currentScript;
  const base = own.src.replace(/\.js(\?.*)?$/, "");
  const language = own.dataset.language || document.documentElement.lang || navigator.language || "en";
  const place = own.dataset.place ? document.querySelector(own.dataset.place) : null;

  const STYLE = `
    :host { all: initial; font-family: system-ui, sans-serif; font-size: 16px; line-height: 1.45; }
    :host([data-fixed]) { bottom: 1.25rem; inset-inline-end: 1.25rem; position: fixed; z-index: 2147483000; }
    button { border: 0; border-radius: 0.6rem; cursor: pointer; font: inherit; font-weight: 600; padding: 0.7rem 1.25rem; }
    button:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .open, .call { background: var(--accent); color: var(--ink); }
    .open:hover, .call:hover { background: var(--strong); }
    .open { align-items: center; border-radius: 2rem; box-shadow: 0 4px 16px rgb(0 0 0 / 22%); display: inline-flex; gap: 0.6rem; }
    .open svg { fill: currentColor; height: 1.1rem; width: 1.1rem; }
    .release { background: #b3261e; color: #fff; }
    .close { background: none; color: inherit; font-size: 1.4rem; inset-inline-end: 0.4rem; line-height: 1; padding: 0.5rem 0.7rem; position: absolute; top: 0.4rem; }
    dialog { background: #fff; border: 0; border-radius: 1rem; box-shadow: 0 12px 48px rgb(0 0 0 / 30%); box-sizing: border-box; color: #16212a;
      max-width: min(24rem, calc(100vw - 2rem)); padding: 1.5rem; width: 100%; }
    dialog::backdrop { background: rgb(14 19 23 / 45%); }
    h2 { font-size: 1.25rem; line-height: 1.25; margin: 0 0 0.25rem; margin-inline-end: 2rem; }
    p { margin: 0 0 0.75rem; }
    .soft { color: #55636e; }
    label { display: block; font-weight: 600; margin: 0.75rem 0 0.2rem; }
    input { background: transparent; border: 1px solid #8795a0; border-radius: 0.6rem; box-sizing: border-box; color: inherit; direction: ltr; font: inherit;
      min-height: 2.9rem; padding: 0.4rem 0.75rem; width: 100%; }
    form button, .release { margin-top: 1rem; width: 100%; }
    .again { background: none; border: 1px solid #8795a0; color: inherit; }
    .wrong { color: #b3261e; margin: 0.5rem 0 0; }
    .price { background: var(--wash); border-radius: 0.6rem; margin: 1rem 0 0; padding: 0.6rem 0.9rem; }
    .price:empty, .wrong:empty, [hidden] { display: none; }
    @media (prefers-color-scheme: dark) {
      dialog { background: #171e24; color: #e6ecf0; }
      .soft { color: #9fadb8; }
      .wrong { color: #ff8a80; }
    }`;

  const make = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  };

  async function ask(path, body) {
    const answer = await fetch(`${base}/${path}?language=${encodeURIComponent(language)}`, {
      method: body ? "POST" : "GET",
      body: body && JSON.stringify(body),
      headers: body ? { "Content-Type": "application/json" } : {},
      credentials: "omit",
      referrerPolicy: "origin",
    });
    return { status: answer.status, said: answer.status === 204 ? {} : await answer.json() };
  }

  // 22 letters of base64url: the mark by which the server knows one press from another.
  function newMark() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  function build(look) {
    const { words } = look;
    const host = make("div");
    host.lang = language;
    host.dir = look.direction;
    if (!place) host.dataset.fixed = "";
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    const paint = ([accent, strong, ink]) => `--accent: ${accent}; --strong: ${strong}; --ink: ${ink}; --wash: color-mix(in srgb, ${accent} 12%, transparent);`;
    sheet.replaceSync(`:host { ${paint(look.light)} } @media (prefers-color-scheme: dark) { :host { ${paint(look.dark)} } } ${STYLE}`);
    root.adoptedStyleSheets = [sheet];

    const open = make("button", "open");
    open.type = "button";
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("viewBox", "0 0 24 24");
    icon.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M6.6 3.5 9 3l2 5-2.2 1.6a12 12 0 0 0 5.6 5.6L16 13l5 2-.5 2.4c-.3 1.5-1.6 2.6-3.1 2.6C9.9 20 4 14.1 4 6.6c0-1.5 1.1-2.8 2.6-3.1z");
    icon.append(path);
    open.append(icon, make("span", "", words.open));
    open.setAttribute("aria-haspopup", "dialog");

    const dialog = make("dialog");
    dialog.setAttribute("aria-labelledby", "headline");
    const close = make("button", "close", "×");
    close.type = "button";
    close.setAttribute("aria-label", words.close);
    const headline = make("h2", "", look.headline);
    headline.id = "headline";
    const detail = make("p", "soft", look.welcome);
    detail.setAttribute("role", "status");
    const form = make("form");
    const fields = {};
    for (const name of look.asks) {
      const label = make("label", "", words[name]);
      const field = make("input");
      field.id = name;
      field.name = name;
      field.required = true;
      field.maxLength = 40;
      field.setAttribute("aria-describedby", "wrong");
      field.autocomplete = name === "number" ? "tel" : "username";
      if (name === "number") field.type = "tel";
      label.htmlFor = name;
      fields[name] = field;
      form.append(label, field);
    }
    const told = make("div");
    told.hidden = true;
    const codeLabel = make("label", "", words.code);
    const code = make("input");
    code.id = codeLabel.htmlFor = "code";
    code.inputMode = "numeric";
    code.autocomplete = "one-time-code";
    code.maxLength = 16;
    code.setAttribute("aria-describedby", "wrong");
    const again = make("button", "again", words.again);
    again.type = "button";
    told.append(codeLabel, code, again);
    const price = make("p", "price");
    const wrong = make("p", "wrong");
    wrong.id = "wrong";
    wrong.setAttribute("role", "alert");
    const call = make("button", "call", words.call);
    form.append(price, told, wrong, call);
    const release = make("button", "release", words.release);
    release.type = "button";
    release.hidden = true;
    dialog.append(close, headline, detail, form, release);
    root.append(open, dialog);
    (place || document.body).append(host);

    let mark = newMark();
    let quoted = "";
    let going = null;

    function reset() {
      headline.textContent = look.headline;
      detail.textContent = look.state === "closed" ? words.closed : look.state === "down" ? words.away : look.welcome;
      form.hidden = look.state === "closed" || look.state === "down";
      release.hidden = true;
      price.textContent = wrong.textContent = quoted = code.value = "";
      told.hidden = true;
      mark = newMark();
      going = null;
    }

    async function follow() {
      if (!going) return;
      try {
        const { status, said } = await ask(`calls/${going.id}/now`, { token: going.token });
        if (status === 200) {
          if (headline.textContent !== said.headline) headline.textContent = said.headline;
          if (detail.textContent !== said.detail) detail.textContent = said.detail;
          release.hidden = said.is_ended;
          release.disabled = said.is_releasing;
          if (said.is_ended) {
            going = null;
            return;
          }
        }
      } catch {
        // Asked again below.
      }
      setTimeout(follow, ASK_MS);
    }

    form.addEventListener("input", (event) => {
      wrong.textContent = "";
      if (event.target === code) return;
      price.textContent = quoted = code.value = "";
      told.hidden = true;
    });
    async function press(more) {
      call.disabled = again.disabled = true;
      wrong.textContent = "";
      try {
        const typed = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value]));
        const { status, said } = await ask("calls", { ...typed, mark, quoted, ...more });
        if (status === 200 && said.code) {
          detail.textContent = said.code;
          told.hidden = false;
          code.value = "";
          code.focus();
        } else if (status === 201) {
          going = said;
          form.hidden = true;
          follow();
        } else if (status === 200) {
          quoted = said.quoted;
          price.replaceChildren(...said.price.flatMap((line, place) => (place ? [make("br"), line] : [line])));
        } else {
          wrong.textContent = said.error || words.away;
        }
      } catch {
        wrong.textContent = words.away;
      } finally {
        call.disabled = again.disabled = false;
      }
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      press({ code: code.value });
    });
    again.addEventListener("click", () => press({ again: "again" }));
    release.addEventListener("click", () => {
      release.disabled = true;
      if (going) ask(`calls/${going.id}/release`, { token: going.token }).catch(() => {});
    });
    open.addEventListener("click", () => {
      if (!going) reset();
      dialog.showModal();
    });
    close.addEventListener("click", () => dialog.close());
  }

  ask("look")
    .then(({ status, said }) => status === 200 && build(said))
    .catch(() => {}); // This site is none that may have the button: it has none.
})();
