// Comfort only: every page works without this file.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const typing = (target) => target.matches("input, textarea, select, [contenteditable]");

// Menus, panels, dialogs

function closeMenus(except) {
  for (const menu of $$("details.menu[open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
}

function closeOver() {
  const over = $("#over");
  if (!over || !over.firstElementChild) return false;
  over.replaceChildren();
  over.opener?.focus();
  return true;
}

async function openDialog(link) {
  const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
  if (!answer.ok || !answer.headers.get("content-type")?.startsWith("text/html")) {
    location.href = link.href;
    return;
  }
  const over = $("#over");
  over.innerHTML = await answer.text();
  over.opener = link;
  prepare(over);
  ($("[autofocus], .form-control, [data-close-over]", over) || over).focus();
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const copy = target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard?.writeText(copy.dataset.copy);
    copy.classList.add("ok");
    setTimeout(() => copy.classList.remove("ok"), 1200);
  }
  const dialog = target.closest("a[data-dialog]");
  if (dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    closeMenus();
    openDialog(dialog);
    return;
  }
  if (target.closest("[data-close-over]") && closeOver()) event.preventDefault();
  target.closest("[data-close]")?.closest(".note").remove();
  const save = target.closest("[data-save]");
  if (save) {
    const text = $("pre", save.closest(".body")).textContent;
    save.href = URL.createObjectURL(new Blob([text.endsWith("\n") ? text : `${text}\n`]));
    save.download = save.dataset.save;
  }
  const found = $("#found");
  if (found && !found.parentElement.contains(target)) found.replaceChildren();
  closeMenus(target);
});

// Theme: at once, and kept by the form

document.addEventListener("submit", (event) => {
  const theme = event.submitter?.dataset.theme;
  if (theme) {
    event.preventDefault();
    const dark = theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
    fetch(event.target.action, { method: "POST", body: new URLSearchParams({ ...Object.fromEntries(new FormData(event.target)), theme }) });
    closeMenus();
    return;
  }
  // Sent once: the second press finds the form on its way. The server would know as well.
  if (event.target.matches("[data-form], #rows, #head")) {
    if (event.target.classList.contains("is-sent")) event.preventDefault();
    else setTimeout(() => event.target.classList.add("is-sent"));
  }
});
window.addEventListener("pageshow", () => $$(".is-sent").forEach((form) => form.classList.remove("is-sent")));

// Rows that are ticked

function countTicks(form) {
  const ticks = $$('tbody .ck .form-check-input[type="checkbox"]', form);
  const ticked = ticks.filter((tick) => tick.checked).length;
  const all = $('[name="all"]', form);
  const number = $("[data-ticked]", form);
  if (number) number.textContent = all?.checked ? "" : ticked;
  const head = $("[data-all]", form);
  if (head) {
    head.checked = ticks.length > 0 && ticked === ticks.length;
    head.indeterminate = ticked > 0 && ticked < ticks.length;
  }
}
document.addEventListener("change", (event) => {
  const form = event.target.closest("#rows");
  if (!form) return;
  if (event.target.matches("[data-all]")) {
    for (const tick of $$('tbody .ck .form-check-input[type="checkbox"]', form)) tick.checked = event.target.checked;
  }
  countTicks(form);
});
document.addEventListener("reset", (event) => setTimeout(() => event.target.id === "rows" && countTicks(event.target)));

// Keys

let went = false;
document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (event.key === "Escape") {
    const menu = $("details.menu[open]");
    if (menu) {
      menu.open = false;
      $("summary", menu).focus();
    } else if (!closeOver()) {
      $("#found")?.replaceChildren();
    }
    return;
  }
  const search = $("#q");
  if (search && event.key === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    search.focus();
    return;
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = target.closest("[data-form]") || $("#over [data-form]") || $("main [data-form]");
    if (form) form.requestSubmit($("[data-send]", form));
    return;
  }
  if (target === search && event.key === "ArrowDown") {
    event.preventDefault();
    $("#found a")?.focus();
    return;
  }
  if (target.closest?.("#found") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const links = $$("#found a");
    const next = links[links.indexOf(target) + (event.key === "ArrowDown" ? 1 : -1)];
    (next || search).focus();
    return;
  }
  if (typing(target) || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("no-keys")) return;
  single(event);
});

function single(event) {
  const key = event.key;
  if (went) {
    went = false;
    const place = $(`.side [data-go="${CSS.escape(key)}"]`);
    if (place) place.click();
    return;
  }
  if (key === "g") {
    went = true;
    setTimeout(() => (went = false), 1500);
  } else if (key === "/") {
    event.preventDefault();
    $("#q")?.focus();
  } else if (key === "?") location.href = "/keys-help";
  else if (key === "c") $("main [data-primary]")?.click();
  else if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
  else if (key === "x") {
    const tick = document.activeElement.closest("tr")?.querySelector(".ck input");
    if (tick) tick.click();
  } else if (key === ".") {
    const menu = document.activeElement.closest("tr")?.querySelector("details.menu > summary");
    if (menu) {
      event.preventDefault();
      menu.click();
    }
  }
}

function move(step) {
  const links = $$("main table.t tbody th a");
  const now = links.indexOf(document.activeElement.closest("tr")?.querySelector("th a"));
  links[Math.max(0, Math.min(links.length - 1, now + step))]?.focus();
}

// Parts of pages that are fetched

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = document.body.dataset.csrf;
});
// What comes by itself does not move what one is at: an open menu, a field, a selection.
function isBusy(root) {
  return Boolean($("details.menu[open]", root)) || (root.contains(document.activeElement) && typing(document.activeElement)) || Boolean($(".ck input:checked", root));
}
document.addEventListener("htmx:beforeSwap", (event) => {
  const source = event.detail.requestConfig?.elt;
  if (source?.matches?.("[data-gently]") && isBusy(event.detail.target)) event.detail.shouldSwap = false;
  // A form that was refused comes back with its errors.
  if (event.detail.xhr.status === 422) event.detail.shouldSwap = true;
});
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (isBusy(event.detail.target)) event.detail.shouldSwap = false;
});
document.addEventListener("htmx:afterSwap", (event) => prepare(event.detail.target));
// Loading is said to those who wait for it, not for what comes by itself.
document.addEventListener("htmx:beforeSend", (event) => {
  if (!event.detail.requestConfig.headers["X-By-Itself"]) event.detail.target?.setAttribute("aria-busy", "true");
});
document.addEventListener("htmx:afterRequest", (event) => event.detail.target?.removeAttribute("aria-busy"));
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.requestConfig.headers["X-By-Itself"]) event.preventDefault();
  if (event.detail.elt.matches("[data-panel]")) $("#over").opener = event.detail.elt;
});

function prepare(root) {
  for (const form of $$("#rows", root)) countTicks(form);
  for (const note of $$("[data-fades]", root)) {
    setTimeout(() => "fades" in note.dataset && note.remove(), note.dataset.job ? 15000 : 7000);
  }
  for (const select of $$("select[data-searched]", root)) search(select);
  for (const box of $$("[data-no-keys]", root)) {
    box.checked = Boolean(localStorage.getItem("no-keys"));
    box.onchange = () => (box.checked ? localStorage.setItem("no-keys", "1") : localStorage.removeItem("no-keys"));
  }
  for (const field of $$("[data-filter]", root)) {
    field.oninput = () => {
      for (const card of $$(".pick", $(field.dataset.filter))) {
        card.hidden = !card.textContent.toLowerCase().includes(field.value.toLowerCase());
      }
    };
  }
  if (root !== document && window.htmx) htmx.process(root);
}

// Long choices can be searched; without the script they are plain selects.
function search(select) {
  if (select.every) return;
  select.every = [...select.options];
  const field = document.createElement("input");
  field.type = "search";
  field.className = "form-control";
  field.placeholder = select.dataset.searched;
  field.setAttribute("aria-label", `${select.dataset.searched} (${select.labels[0]?.textContent.trim() || ""})`);
  field.autocomplete = "off";
  field.oninput = (event) => {
    event.stopPropagation();
    const words = field.value.toLowerCase();
    const chosen = select.value;
    const fit = select.every.filter((option) => option.text.toLowerCase().includes(words));
    select.replaceChildren(...(fit.length ? fit : select.every));
    if (fit.some((option) => option.value === chosen)) select.value = chosen;
    else if (words) select.selectedIndex = 0;
    select.dispatchEvent(new Event("change", { bubbles: true }));
  };
  select.before(field);
}

// A toast that follows a job says how it ended.
document.addEventListener("news", (event) => {
  const { job, status } = event.detail;
  for (const note of $$("[data-job]")) {
    if (note.dataset.job !== job || !["succeeded", "failed"].includes(status)) continue;
    const good = status === "succeeded";
    note.className = `note ${good ? "ok" : "bad"}`;
    $("strong", note).textContent = good ? note.dataset.done : note.dataset.failed;
    $("use", note).setAttribute("href", $("use", note).getAttribute("href").replace(/#.*/, good ? "#circle-check" : "#alert-octagon"));
    if (good) setTimeout(() => note.remove(), 6000);
    else delete note.dataset.fades;
  }
});

// News of jobs: one stream, while the page is seen

let stream = null;
function listen() {
  const address = document.body.dataset.live;
  if (!address || !window.EventSource || document.hidden || stream) return;
  stream = new EventSource(address);
  stream.addEventListener("job", (event) => {
    const news = JSON.parse(event.data);
    document.body.dispatchEvent(new CustomEvent("news", { detail: news }));
  });
  stream.onerror = () => {
    // The server says no, or is gone: pages ask now and then by themselves.
    if (stream && stream.readyState === EventSource.CLOSED) stream = null;
  };
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = null;
  } else {
    listen();
    document.body.dispatchEvent(new CustomEvent("news", { detail: {} }));
  }
});

prepare(document);
// Only where there is something to wait for: browsers open six connections to a server, and pages lie in many tabs.
if ($("[hx-trigger*='news']:not(#bell *)") || $("#bell [hx-trigger*='every']") || $("[data-job]")) listen();
