"use strict";
// Makes the page live. The server draws everything, also what comes later: on news the page is fetched again and the
// parts that changed are put in place. Without this script the page is the same, as of when it was loaded.
(() => {
  const PAUSE_MS = 1000; // between two fetches, however much happens
  const IDLE_MS = 15000; // times and sources grow old without news
  const live = document.getElementById("live");
  const shown = new Map();
  let timer, fetched = 0, controller, stream;

  const parts = (root) => root.querySelectorAll("[data-part]");
  for (const part of parts(document)) shown.set(part.id, part.innerHTML);

  const say = (word) => {
    live.hidden = false;
    if (live.textContent !== word) live.textContent = word;
    live.className = word === "Live" ? "on" : "off";
  };

  // A reader who marks text is not interrupted.
  const isMarked = (part) => {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(part, true);
  };

  const replace = (part, next) => {
    const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
    const known = new Set([...part.querySelectorAll("details")].map((one) => one.id));
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    shown.set(part.id, next.innerHTML);
    part.className = next.className;
    part.replaceChildren(...next.childNodes);
    for (const one of part.querySelectorAll("details")) {
      if (open.includes(one.id)) one.open = true;
      else if (known.size && !known.has(one.id)) one.classList.add("new");
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };

  const adopt = (text) => {
    const next = new DOMParser().parseFromString(text, "text/html");
    document.title = next.title;
    for (const fresh of parts(next)) {
      const part = document.getElementById(fresh.id);
      if (part && shown.get(part.id) !== fresh.innerHTML && !isMarked(part)) replace(part, fresh);
    }
    return next;
  };

  const refresh = async () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, IDLE_MS);
    fetched = Date.now();
    controller?.abort();
    controller = new AbortController();
    try {
      const answer = await fetch(location.href, { signal: controller.signal });
      if (answer.ok) adopt(await answer.text());
    } catch (error) {
      if (error.name !== "AbortError") say("Not connected");
    }
  };

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, fetched + PAUSE_MS - Date.now()));
  };

  // The stream only says that there is news. A page that nobody sees needs none.
  const listen = () => {
    stream?.close();
    if (document.hidden) return;
    stream = new EventSource("api/v1/rejections/stream");
    stream.onopen = () => { say("Live"); soon(); };
    stream.addEventListener("rejection", soon);
    stream.addEventListener("missed", soon);
    stream.addEventListener("alerts", soon);
    stream.onerror = () => {
      say("Not connected");
      // The browser tries again by itself, unless it was turned away.
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, IDLE_MS);
    };
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    listen();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-filter]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    refresh();
  });
  addEventListener("popstate", refresh);

  document.getElementById("check-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target, answer = document.getElementById("check-answer");
    const body = new URLSearchParams(new FormData(form));
    form.setAttribute("aria-busy", "true");
    try {
      const page = await fetch(form.action, { method: "POST", body });
      const text = await page.text();
      const next = new DOMParser().parseFromString(text, "text/html").getElementById("check-answer");
      if (next) answer.replaceChildren(...next.childNodes);
      else answer.textContent = `The token could not be checked (${page.status}).`;
      form.elements.token.value = "";
    } catch {
      answer.textContent = "The daemon did not answer: is it still running?";
    }
    form.removeAttribute("aria-busy");
  });

  listen();
  timer = setTimeout(refresh, IDLE_MS);
})();
