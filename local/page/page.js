"use strict";

// This script follows the progress of tasks. Everything that it shows is rendered and
// escaped by the server.
(() => {
  const REFRESH = 60_000; // milliseconds after which the overview is read again

  const address = document.body.dataset.watch;
  const live = document.querySelector("[data-live]");
  let stream = null;

  // watch opens the stream of the page. It is closed while the page is in the background,
  // because a browser allows only a few connections to one server.
  function watch() {
    if (!address || stream || document.hidden) return;
    stream = new EventSource(address);
    stream.addEventListener("progress", (event) => {
      const place = document.getElementById("progress");
      if (place && !place.contains(document.activeElement)) place.innerHTML = event.data;
    });
    stream.addEventListener("changed", changed);
  }

  function unwatch() {
    stream?.close();
    stream = null;
  }

  // changed shows the new state: in place on the overview, otherwise as a new page.
  function changed() {
    if (live) { refresh(); return; }
    unwatch();
    location.reload();
  }

  // refresh reads the page again and replaces what may have changed, unless the reader is
  // in it.
  async function refresh() {
    if (document.hidden || live.contains(document.activeElement)) return;
    const response = await fetch(location.href);
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(live.id);
    if (fresh && !live.contains(document.activeElement)) live.replaceChildren(...fresh.childNodes);
  }

  // A search field filters a list while the reader types. Without it, the form does.
  for (const field of document.querySelectorAll("[data-filter]")) {
    const list = document.getElementById(field.dataset.filter);
    if (!list) continue;
    field.addEventListener("input", () => {
      const text = field.value.toLowerCase();
      for (const label of list.querySelectorAll("[data-text]")) label.hidden = !label.dataset.text.toLowerCase().includes(text);
    });
  }

  document.addEventListener("visibilitychange", () => document.hidden ? unwatch() : watch());
  addEventListener("pagehide", unwatch);
  addEventListener("pageshow", watch);
  watch();

  if (live) {
    // The nodes are being checked, or the archive is being read.
    if (live.querySelector("[data-reading]")) setTimeout(refresh, 1500);
    setInterval(refresh, REFRESH);
  }
})();
