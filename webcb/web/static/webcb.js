// The one script: shows the price while the form is filled in, and follows a call live. Every page works without it.
"use strict";

const QUOTE_PAUSE_MS = 600;
const NUMBER_PAUSE_MS = 150;
const LIVE_MS = 2000;
const TICK_MS = 250;
const ASK_AGAIN_MS = 3000;

// The order ---------------------------------------------------------------------------------------------------------

function watchOrder(form) {
  const field = (name) => form.elements.namedItem(name);
  const names = ["login", "password", "number_a", "number_b"].filter(field);
  const panel = document.getElementById("quote");
  let timer = 0;
  let asking = null;

  const isPriced = Boolean(form.dataset.quote); // what a hosted call costs is said on the phone
  if (isPriced) document.getElementById("show-price").hidden = true;

  function say(name, text) {
    field(name).classList.toggle("is-invalid", Boolean(text));
    field(name).setAttribute("aria-invalid", text ? "true" : "false");
    document.getElementById(`${name}-error`).textContent = text;
  }

  const isComplete = () => names.every((name) => field(name).value.trim() || (name === "password" && !field(name).required));

  async function ask() {
    if (!isPriced || !isComplete()) return;
    asking = new AbortController();
    panel.classList.add("is-asking");
    try {
      const answer = await fetch(form.dataset.quote, { method: "POST", body: new FormData(form), signal: asking.signal });
      if (answer.ok) {
        panel.innerHTML = (await answer.json()).html;
      } else if (answer.status === 422) {
        const { errors } = await answer.json();
        for (const name of names) if (errors[name]) say(name, errors[name]);
      }
    } catch {
      // No price by itself then: the button shows it.
    } finally {
      panel.classList.remove("is-asking");
    }
  }

  form.addEventListener("input", (event) => {
    if (!names.includes(event.target.name)) return;
    if (asking) asking.abort();
    panel.replaceChildren();
    for (const name of names) if (name === event.target.name || name === "password") say(name, "");
    clearTimeout(timer);
    timer = setTimeout(ask, QUOTE_PAUSE_MS);
  });

  // One press is one call: the server sees to it as well, this only shows it.
  form.addEventListener("submit", () => form.classList.add("is-asking"));
  window.addEventListener("pageshow", () => form.classList.remove("is-asking"));

  if (!panel.childElementCount) ask();
}

// The challenge -----------------------------------------------------------------------------------------------------

const CHALLENGE_SLICE_MS = 20;

// SHA-256 (FIPS 180-4) of a text that fits one block: the browser's own is there only under TLS.
const ROUNDS = [];
const START = [];
for (let candidate = 2; ROUNDS.length < 64; candidate += 1) {
  let isPrime = true;
  for (let factor = 2; factor * factor <= candidate; factor += 1) if (candidate % factor === 0) isPrime = false;
  if (!isPrime) continue;
  const fraction = (number) => ((number - Math.floor(number)) * 2 ** 32) | 0;
  if (START.length < 8) START.push(fraction(Math.sqrt(candidate)));
  ROUNDS.push(fraction(Math.cbrt(candidate)));
}

function leadingZeros(text) {
  const words = new Int32Array(64);
  for (let at = 0; at < text.length; at += 1) words[at >> 2] |= text.charCodeAt(at) << (24 - 8 * (at % 4));
  words[text.length >> 2] |= 0x80 << (24 - 8 * (text.length % 4));
  words[15] = 8 * text.length;
  const turn = (word, by) => (word >>> by) | (word << (32 - by));
  for (let at = 16; at < 64; at += 1) {
    const [early, late] = [words[at - 15], words[at - 2]];
    const first = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
    const second = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
    words[at] = (words[at - 16] + first + words[at - 7] + second) | 0;
  }
  let [a, b, c, d, e, f, g, h] = START;
  for (let at = 0; at < 64; at += 1) {
    const chosen = (e & f) ^ (~e & g);
    const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + chosen + ROUNDS[at] + words[at]) | 0;
    const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  return Math.clz32((a + START[0]) | 0);
}

// Does the sum in slices while the form is filled in; who presses earlier waits for it.
function solveChallenge(form) {
  const answer = form.elements.namedItem("answer");
  const bits = Number(form.dataset.bits);
  let number = 0;
  let goOn = null;

  function work() {
    const until = performance.now() + CHALLENGE_SLICE_MS;
    while (performance.now() < until) {
      if (leadingZeros(`${form.dataset.challenge}:${number}`) >= bits) {
        answer.value = String(number);
        if (goOn) goOn();
        return;
      }
      number += 1;
    }
    setTimeout(work);
  }

  form.addEventListener("submit", (event) => {
    if (answer.value) return;
    event.preventDefault();
    const pressed = event.submitter;
    goOn = () => form.requestSubmit(pressed);
  });
  if (!answer.value) work();
}

// Numbers -----------------------------------------------------------------------------------------------------------

// Groups the digits as their country writes them, and shows which country that is. The server knows the numbering plans.
function watchNumber(field, form) {
  const country = document.getElementById(`${field.id}-country`);
  let timer = 0;
  let asked = null;

  async function ask(mayWrite) {
    const typed = field.value;
    if (typed === asked) return;
    asked = typed;
    if (!typed.trim()) {
      country.textContent = "";
      return;
    }
    const body = new FormData();
    body.set("csrf_token", form.elements.namedItem("csrf_token").value);
    body.set("typed", typed);
    body.set("country", form.dataset.country);
    try {
      const answer = await fetch(form.dataset.numbers, { method: "POST", body });
      if (!answer.ok || field.value !== typed) return;
      const found = await answer.json();
      country.textContent = found.country;
      // Only at the end of what is typed: nobody's caret jumps.
      const isAtEnd = document.activeElement !== field || field.selectionStart === typed.length;
      if (mayWrite && isAtEnd && found.text !== typed) {
        field.value = found.text;
        asked = found.text;
      }
    } catch {
      // The number stays as it was typed.
    }
  }

  field.addEventListener("input", (event) => {
    clearTimeout(timer);
    const isTaken = (event.inputType || "").startsWith("delete"); // who deletes a bracket does not want it back
    timer = setTimeout(ask, NUMBER_PAUSE_MS, !isTaken);
  });
  ask(true);
}

// The call ----------------------------------------------------------------------------------------------------------

function clockFace(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function followCall(view) {
  const announcement = document.getElementById("announce");
  const release = document.getElementById("release");
  let ticking = 0;

  // Between two events the clock runs on by itself.
  function tick() {
    clearInterval(ticking);
    const talked = view.querySelector("[data-elapsed-ms]");
    if (!talked) return;
    const bar = view.querySelector("progress");
    const start = performance.now() - Number(talked.dataset.elapsedMs);
    const limit = Number(talked.dataset.limitSeconds) || Infinity;
    ticking = setInterval(() => {
      const seconds = Math.min(limit, Math.floor((performance.now() - start) / 1000));
      talked.textContent = clockFace(seconds);
      if (bar) bar.value = seconds;
    }, TICK_MS);
  }

  function show(now) {
    view.innerHTML = now.html;
    document.title = `${now.headline} · ${view.dataset.name}`;
    if (announcement.textContent !== now.headline) announcement.textContent = now.headline;
    release.hidden = now.is_ended;
    release.querySelector("button").disabled = now.is_releasing;
    document.getElementById("again").hidden = !now.is_ended;
    tick();
  }

  // For when the server has no place left for another stream, or is away.
  async function askNow() {
    try {
      const answer = await fetch(view.dataset.now);
      if (answer.status === 404) return;
      if (answer.ok) {
        const now = await answer.json();
        show(now);
        if (now.is_ended) return;
      }
    } catch {
      // Asked again below.
    }
    setTimeout(listen, ASK_AGAIN_MS);
  }

  function listen() {
    const source = new EventSource(view.dataset.events);
    source.onmessage = (event) => {
      const now = JSON.parse(event.data);
      show(now);
      if (now.is_ended) source.close();
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) askNow();
    };
    window.addEventListener("pagehide", () => source.close());
  }

  tick();
  listen();
}

// Self-care ---------------------------------------------------------------------------------------------------------

// Funds and calls going on, looked at again while the page is seen; not while a button of it has the focus.
function watchLive(part) {
  setInterval(async () => {
    if (document.hidden || part.contains(document.activeElement)) return;
    try {
      const answer = await fetch(part.dataset.live, { redirect: "error" });
      if (answer.ok) part.innerHTML = await answer.text();
    } catch {
      // What is shown stays.
    }
  }, LIVE_MS);
}

const live = document.querySelector("[data-live]");
if (live) watchLive(live);
const order = document.getElementById("order");
if (order) {
  watchOrder(order);
  if (order.dataset.challenge) solveChallenge(order);
  for (const field of order.querySelectorAll("input[type=tel]")) watchNumber(field, order);
}
const view = document.getElementById("progress");
if (view && view.dataset.events) followCall(view);
