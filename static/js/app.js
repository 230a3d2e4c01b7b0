/* Every listener of the site but those of the pictures. Pages work without this file; it makes them quicker to use.
   Words come from the templates, so nothing here needs translating. */
"use strict";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (name, listener, options) => document.addEventListener(name, listener, options);
const stored = {
  get: (name) => { try { return localStorage.getItem(name) || ""; } catch { return ""; } },
  set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* a private window */ } },
};

function say(text) {
  one("#say").textContent = text;
}

/* --- Polling: silent while hidden, at once when seen again, honest when it fails ------------------------------ */

let failures = 0;
const isPoll = (event) => event.detail.elt?.matches?.("[data-poll]");

on("htmx:beforeRequest", (event) => {
  if (isPoll(event) && document.hidden) event.preventDefault();
});
on("visibilitychange", () => document.hidden || htmx.trigger(document.body, "resume"));

/* A poller that is replaced takes its request along: the answer would find nothing here to put its news into, and the
   new one asks again from where the old one stood. */
const asked = new WeakMap();
const dropped = new WeakSet();
on("htmx:beforeSend", (event) => isPoll(event) && asked.set(event.detail.elt, event.detail.xhr));
on("htmx:beforeCleanupElement", (event) => {
  const request = asked.get(event.target);
  if (!request || request.readyState === XMLHttpRequest.DONE) return;
  dropped.add(request);
  request.abort();
});

on("htmx:afterRequest", (event) => {
  if (!isPoll(event) || dropped.has(event.detail.xhr)) return;
  failures = event.detail.successful ? 0 : failures + 1;
  one("#stale").hidden = failures < 3;
});
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  on(name, (event) => isPoll(event) || toast(document.body.dataset.trouble));
}

/* --- Toasts --------------------------------------------------------------------------------------------------- */

function toast(text) {
  const element = one("#toast-blank").content.firstElementChild.cloneNode(true);
  element.firstElementChild.textContent = text;
  one("#toasts").append(element);
  say(text);
}

/* Good news leaves by itself, but not from under the pointer or the focus. Bad news stays until it is dismissed. */
new MutationObserver((changes) => {
  for (const element of changes.flatMap((change) => [...change.addedNodes])) {
    if (!element.matches?.('.toast:not([data-tone="bad"])')) continue;
    const leave = () => (element.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : element.remove());
    setTimeout(leave, 8000);
  }
}).observe(document.body, { childList: true, subtree: true }); // going back renews the whole body

/* --- Confirm -------------------------------------------------------------------------------------------------- */

on("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  const dialog = one("#confirm");
  one("#confirm-text").textContent = event.detail.question;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.returnValue === "yes" && event.detail.issueRequest(true);
  dialog.showModal();
});

/* --- Clicks --------------------------------------------------------------------------------------------------- */

const clicks = {
  "[data-dismiss]": (button) => button.closest(".toast").remove(),
  "[data-retry]": () => htmx.trigger(document.body, "resume"),
  "[data-copy]": (button) => copy(button),
  "[data-use-key]": (button, event) => {
    const key = one("#key");
    if (!key) return;
    event.preventDefault();
    key.value = button.dataset.useKey;
    key.dispatchEvent(new Event("change", { bubbles: true }));
    button.closest("dialog").close();
  },
  "[data-starter]": (link, event) => {
    event.preventDefault();
    const prompt = one("#prompt");
    prompt.value = link.dataset.starter;
    location.hash = "compose";
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    prompt.focus();
  },
};
on("click", (event) => {
  for (const [selector, act] of Object.entries(clicks)) {
    const element = event.target.closest(selector);
    if (element) return act(element, event);
  }
  for (const menu of all("[data-menu][open]")) if (!menu.contains(event.target)) menu.open = false;
});

async function copy(button) {
  const source = one(button.dataset.copy);
  const isField = source instanceof HTMLInputElement;
  if (isField) source.select(); // so that it can be copied by hand, should all else fail
  try {
    await navigator.clipboard.writeText(isField ? source.value : source.textContent.trim());
  } catch {
    if (!isField) getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
  say(button.dataset.copied);
  if (button.closest("#dialog")) one("#dialog-say").textContent = button.dataset.copied;
  const label = one("span", button) || button;
  label.dataset.word ??= label.textContent; // of a second press this is the answer to the first
  label.textContent = button.dataset.copied;
  setTimeout(() => (label.textContent = label.dataset.word), 1500);
}

/* A dialog opens with what was fetched for it, and gives the focus back to the button that asked. */
on("htmx:afterSwap", (event) => {
  const opens = event.detail.requestConfig?.elt?.dataset?.opens;
  if (opens && event.detail.target.matches(opens) && !event.detail.target.open) event.detail.target.showModal();
});

on("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

/* --- Composer ------------------------------------------------------------------------------------------------- */

function count() {
  const prompt = one("#prompt");
  if (!prompt) return;
  const limit = Number(one("#params")?.dataset.promptLimit);
  const output = one("#prompt-count");
  output.textContent = limit ? `${prompt.value.length} / ${limit}` : prompt.value.length;
  output.classList.toggle("error", limit > 0 && prompt.value.length > limit);
}
function restoreDraft() {
  const prompt = one("#prompt");
  if (prompt && !prompt.value) prompt.value = stored.get("draft");
  count();
}
on("input", (event) => {
  if (event.target.id !== "prompt") return;
  stored.set("draft", event.target.value);
  count();
});
on("keydown", (event) => {
  if (event.key === "Escape") for (const menu of all("[data-menu][open]")) menu.open = false;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) one("#composer button[type=submit]")?.click();
});

/* The pictures stay when only the options change; what is open stays open. */
let wereOpen = [];
let cardsBefore = 0;
on("htmx:beforeSwap", (event) => {
  wereOpen = all("#more[open], [data-stays][open]").map((each) => `#${each.id}`);
  cardsBefore = event.detail.target.id === "load-more" ? all(".card").length : 0;
});
on("htmx:afterSettle", () => {
  // Reading goes on where the list went on.
  if (cardsBefore) one(".card-title a", all(".card")[cardsBefore])?.focus({ preventScroll: true });
  cardsBefore = 0;
  for (const each of wereOpen) if (one(each)) one(each).open = true;
  restoreDraft();
});
/* The button that was pressed may be gone with the old card: go on from its successor. */
on("htmx:load", (event) => {
  if (document.activeElement === document.body && event.detail.elt.matches(".card[data-state=cancelled]")) {
    one("a", event.detail.elt).focus();
  }
});
on("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig?.path !== one("#composer")?.getAttribute("action")) return;
  const errors = one("#composer-errors");
  if (errors) return errors.focus();
  stored.set("draft", "");
  if (location.hash === "#compose") location.hash = "feed";
});
on("htmx:xhr:progress", (event) => {
  const bar = one("#upload");
  if (!bar || !event.detail.lengthComputable || event.detail.total < 300_000) return;
  bar.hidden = event.detail.loaded === event.detail.total;
  bar.value = event.detail.loaded / event.detail.total;
});

/* --- Previews: muted, one at a time, only for those who have a pointer and no wish for stillness ------------- */

const still = matchMedia("(prefers-reduced-motion: reduce), (hover: none)").matches || navigator.connection?.saveData;
let preview = null;
let waiting = 0;

function stopPreview() {
  clearTimeout(waiting);
  preview?.remove();
  preview = null;
}
function startPreview(event) {
  const media = event.target.closest?.(".card")?.querySelector("[data-preview]");
  if (!media || still || one("video", media)) return;
  stopPreview();
  waiting = setTimeout(() => {
    preview = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true });
    preview.src = media.dataset.preview;
    preview.setAttribute("aria-hidden", "true");
    media.append(preview);
    preview.play().catch(stopPreview);
  }, 150);
}
on("pointerover", startPreview);
on("focusin", startPreview);
for (const name of ["pointerout", "focusout"]) {
  on(name, (event) => {
    const card = event.target.closest?.(".card");
    if (card && !card.contains(event.relatedTarget)) stopPreview();
  });
}
on("keydown", (event) => event.key === "Escape" && stopPreview());

/* --- Time left: the server's own sentences, kept true without asking it (generations/time_left.py) ------------- */

function timeLeft(element) {
  const { start, p50, p90, left, soon, usual, longer } = element.dataset;
  const passed = Date.now() / 1000 - Number(start);
  if (passed > p90) return longer;
  if (passed >= p50) return usual;
  return p50 - passed < 45 ? soon : left.replace("{n}", Math.max(1, Math.floor((p50 - passed) / 60 + 0.5)));
}
setInterval(() => {
  for (const element of all("[data-eta]")) {
    const sentence = timeLeft(element);
    if (element.textContent !== sentence) element.textContent = sentence;
  }
}, 10_000);

/* --- Start ---------------------------------------------------------------------------------------------------- */

restoreDraft();
