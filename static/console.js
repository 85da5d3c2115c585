// The screen of a machine, by noVNC. A token is asked for each connection; it goes as a subprotocol, into no address.
const WAIT = 12; // milliseconds between two keys that are typed for somebody: machines that start are slow
const shown = new Map();

// Where a character is, on the keyboards of machines: rows of keys, without and with Shift, with AltGr, and dead keys.
const ROWS = {
  us: {
    keys: [
      ["Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal", "`1234567890-=", "~!@#$%^&*()_+"],
      ["KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash", "qwertyuiop[]\\", "QWERTYUIOP{}|"],
      ["KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote", "asdfghjkl;'", 'ASDFGHJKL:"'],
      ["KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash", "zxcvbnm,./", "ZXCVBNM<>?"],
    ],
    third: {},
    dead: "",
  },
  de: {
    keys: [
      ["Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal", "^1234567890ß´", '°!"§$%&/()=?`'],
      ["KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash", "qwertzuiopü+#", "QWERTZUIOPÜ*'"],
      ["KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote", "asdfghjklöä", "ASDFGHJKLÖÄ"],
      ["IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash", "<yxcvbnm,.-", ">YXCVBNM;:_"],
    ],
    third: { "@": "KeyQ", "€": "KeyE", "{": "Digit7", "[": "Digit8", "]": "Digit9", "}": "Digit0", "\\": "Minus", "~": "BracketRight", "|": "IntlBackslash", "²": "Digit2", "³": "Digit3", "µ": "KeyM" },
    dead: "^´`",
  },
};
const SHIFT = [0xffe1, "ShiftLeft"], THIRD = [0xfe03, "AltRight"];
const PLAIN = { " ": [0x20, "Space"], "\n": [0xff0d, "Enter"], "\t": [0xff09, "Tab"] };

function layoutOf(name) {
  const places = new Map();
  for (const [codes, plain, shifted] of ROWS[name].keys) {
    codes.split(" ").forEach((code, at) => {
      places.set([...plain][at], [code]);
      places.set([...shifted][at], [code, SHIFT]);
    });
  }
  for (const [letter, code] of Object.entries(ROWS[name].third)) places.set(letter, [code, THIRD]);
  return places;
}

const symbolOf = (letter) => {
  const point = letter.codePointAt(0);
  return point <= 0xff ? point : 0x1000000 | point;
};

function* keysOf(text, name) {
  const places = layoutOf(name);
  for (const letter of text.replace(/\r\n?/g, "\n")) {
    if (PLAIN[letter]) {
      yield { key: PLAIN[letter] };
      continue;
    }
    const [code, held] = places.get(letter) || [null];
    yield { key: [symbolOf(letter), code], held };
    if (ROWS[name].dead.includes(letter)) yield { key: PLAIN[" "] };
  }
}

class Console {
  constructor(box) {
    this.box = box;
    this.part = (name) => box.querySelector(name);
    this.token = box.closest(".console-window") ? decodeURIComponent(location.hash.slice(1)) : "";
    if (this.token) history.replaceState(null, "", location.pathname);
    box.addEventListener("click", (event) => this.press(event.target.closest("[data-do]")?.dataset.do));
    this.part("form.paste").addEventListener("submit", (event) => {
      event.preventDefault();
      this.type(this.part("#pasted").value, this.part("#layout").value);
    });
    this.connect();
  }

  show(at, why = "", said = "") {
    this.box.dataset.state = at;
    for (const each of this.box.querySelectorAll("[data-at]")) each.hidden = each.dataset.at !== at;
    for (const each of this.box.querySelectorAll("[data-why]")) each.hidden = each.dataset.why !== why;
    this.part("[data-notes]").hidden = !why;
    this.part("[data-said]").textContent = said;
    this.part('[data-do="again"]').hidden = at !== "ended";
    for (const name of ["reset", "paste"]) this.part(`.bar-row [data-do="${name}"]`).disabled = at !== "connected";
    if (at !== "connected") this.unfold(false);
  }

  end(why, said = "") {
    this.rfb = null;
    this.show("ended", this.part(`[data-why="${why}"]`) ? why : "lost", said);
    // The rest of the page says how the machine is now, and looks again until it has stopped.
    if (why === "4002" && document.getElementById("detail")) htmx.ajax("GET", location.pathname, "#detail");
  }

  async ask() {
    const headers = { "X-CSRFToken": document.body.dataset.csrf };
    const answer = await fetch(this.box.dataset.ask, { method: "POST", headers, redirect: "manual" });
    if (answer.headers.get("content-type") === "application/json") return answer.json();
    return { why: answer.status === 404 ? "4004" : "4003" };
  }

  async connect() {
    this.show("connecting");
    let said = { token: this.token };
    this.token = "";
    try {
      if (!said.token) said = await this.ask();
      if (!said.token) return this.end(said.why || "refused", said.said);
      const { default: RFB } = await import(this.box.dataset.novnc);
      this.open(RFB, said.token);
    } catch {
      this.end("lost");
    }
  }

  open(RFB, token) {
    const address = new URL(this.box.dataset.relay, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, ["binary", `token.${token}`]);
    let rfb = null;
    // Before noVNC hears of it, which would take an end that we know of for a fault.
    socket.addEventListener("close", (event) => {
      rfb?.disconnect();
      if (this.box.isConnected) this.end(String(event.code));
    });
    rfb = this.rfb = new RFB(this.part("[data-screen]"), socket, { shared: true });
    rfb.scaleViewport = true;
    rfb.background = "transparent";
    rfb.addEventListener("connect", () => {
      this.show("connected");
      const canvas = this.part("canvas");
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      canvas.setAttribute("aria-label", this.box.dataset.label);
      canvas.setAttribute("aria-describedby", "console-keys"); // how to get out again
      if (document.activeElement === document.body || this.box.contains(document.activeElement)) rfb.focus();
    });
  }

  leave() {
    this.rfb?.disconnect();
  }

  press(name) {
    if (name === "again") this.connect();
    else if (name === "reset") {
      this.rfb?.sendCtrlAltDel();
      this.rfb?.focus();
    } else if (name === "paste") this.unfold(this.part("form.paste").hidden);
    else if (name === "whole") {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.box.requestFullscreen?.().then(() => this.rfb?.focus());
    }
  }

  unfold(open) {
    const form = this.part("form.paste");
    const was = !form.hidden;
    form.hidden = !open;
    this.part('.bar-row [data-do="paste"]').setAttribute("aria-expanded", String(open));
    if (open) this.part("#pasted").focus();
    else if (was) this.part('.bar-row [data-do="paste"]').focus();
  }

  async type(text, layout) {
    const rfb = this.rfb;
    this.part("[data-type]").disabled = true;
    for (const { key, held } of keysOf(text, layout)) {
      if (!this.rfb || this.rfb !== rfb) break;
      if (held) rfb.sendKey(...held, true);
      rfb.sendKey(...key);
      if (held) rfb.sendKey(...held, false);
      await new Promise((done) => setTimeout(done, WAIT));
    }
    this.part("[data-type]").disabled = false;
    if (this.rfb !== rfb || !rfb) return;
    this.part("#pasted").value = "";
    this.unfold(false);
    rfb.focus();
  }
}

// What is on the page now: it may have come by itself, when the machine had started.
function look() {
  for (const [box, screen] of shown) {
    if (box.isConnected) continue;
    screen.leave();
    shown.delete(box);
  }
  for (const box of document.querySelectorAll("[data-console]")) {
    if (!shown.has(box)) shown.set(box, new Console(box));
  }
}

document.addEventListener("htmx:afterSwap", look);
window.addEventListener("pagehide", () => shown.forEach((screen) => screen.leave()));
// Before the screen takes it: the way out for those who have no mouse.
document.addEventListener(
  "keydown",
  (event) => {
    if (!event.ctrlKey || !event.shiftKey || event.key !== "Escape" || !event.target.closest?.("[data-screen]")) return;
    event.preventDefault();
    event.stopPropagation();
    const box = event.target.closest("[data-console]");
    shown.get(box)?.rfb?.blur();
    box.querySelector('[data-do="reset"]').focus();
  },
  true,
);
look();
