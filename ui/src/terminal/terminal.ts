// The page of one workspace's terminal, on a site of its own.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { visible } from "../format";
import { Connection, type State } from "./connection";
import { allowOwnStyles } from "./csp";

const screen = document.getElementById("screen")!;
allowOwnStyles(screen.dataset["nonce"] ?? "");

const status = document.getElementById("status")!;
const message = document.getElementById("message")!;
const text = document.getElementById("message-text")!;
const again = document.getElementById("again") as HTMLButtonElement;

// The sixteen colours, all of them readable on the background.
const palette = {
  black: "#4b555e", red: "#f47067", green: "#57c773", yellow: "#d9a94a",
  blue: "#6cb0f5", magenta: "#c58af0", cyan: "#4fc9ba", white: "#cdd5da",
  brightBlack: "#7d8993", brightRed: "#ff938a", brightGreen: "#7ee096", brightYellow: "#f0c674",
  brightBlue: "#92c7ff", brightMagenta: "#dcb0ff", brightCyan: "#7fe0d4", brightWhite: "#ffffff",
};

const terminal = new Terminal({
  cursorBlink: true,
  fontFamily: 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
  fontSize: 14,
  scrollback: 10_000,
  screenReaderMode: false,
  theme: { background: "#101315", foreground: "#e4e8ea", cursor: "#4fc9ba", selectionBackground: "#2f4a46", ...palette },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(screen);

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const connection = new Connection(`${scheme}//${location.host}/_lanyard/terminal`, new URLSearchParams(location.search).get("terminal"), {
  data: (bytes) => terminal.write(bytes),
  fresh: () => terminal.reset(),
  state: show,
});

function show(state: State): void {
  const words = { connecting: "Connecting", open: "Connected", lost: "Connection lost", ended: "Ended", refused: "Closed" };
  status.textContent = words[state.at];
  status.dataset["state"] = state.at;
  message.hidden = state.at === "open" || state.at === "connecting";
  message.dataset["kind"] = state.at;
  switch (state.at) {
    case "open":
      terminal.focus();
      break;
    case "lost":
      text.textContent = state.workspace
        ? "The workspace does not answer. If it was stopped, the dashboard can start it again; trying to come back…"
        : "The connection was lost. What runs in the workspace goes on; trying to come back…";
      again.textContent = "Try now";
      break;
    case "ended":
      text.textContent = "The shell has ended.";
      again.textContent = "Open a new one";
      break;
    case "refused":
      text.textContent = visible(state.why) || "This terminal was closed.";
      again.textContent = state.again === "sign in" ? "Sign in again" : "Try again";
      again.onclick = () => (state.again === "connect" ? connection.open() : location.reload());
      return;
  }
  again.onclick = () => connection.open();
}

const encoder = new TextEncoder();
terminal.onData((typed) => connection.send(encoder.encode(typed)));
terminal.onBinary((typed) => connection.send(Uint8Array.from(typed, (c) => c.charCodeAt(0) & 255)));
terminal.onResize(({ cols, rows }) => connection.resize(cols, rows));
new ResizeObserver(() => fit.fit()).observe(screen);
fit.fit();
connection.resize(terminal.cols, terminal.rows);
connection.open();
