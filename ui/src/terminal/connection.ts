// The connection of a terminal: binary both ways, resizes as text, and coming back after a connection was lost.

/** The close code that says access was refused or taken away; the reason is the close reason. */
export const refusedCode = 4403;
/** The close code that says the server lost the workspace. */
const agentLostCode = 1012;
/** The close code with which a shell that ended closes. */
const normalCode = 1000;

export type State =
  | { at: "connecting" }
  | { at: "open" }
  | { at: "lost"; workspace: boolean } // it is tried again; workspace: the server answers, the workspace does not
  | { at: "ended" } // the shell has ended
  | { at: "refused"; why: string; again: "connect" | "load" | "sign in" };

export interface Events {
  /** Bytes for the screen. */
  data(bytes: Uint8Array): void;
  /** A new connection: what it sends begins with the scrollback, so the screen starts empty. */
  fresh(): void;
  state(s: State): void;
}

const longestPause = 5000;

export class Connection {
  private socket: WebSocket | undefined;
  private size: { cols: number; rows: number } | undefined;
  private pause = 250;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** terminal: which one of the workspace's; null: the main one. */
  constructor(private readonly url: string, private readonly terminal: string | null, private readonly on: Events) {}

  /** Connects; again after a refusal, when the person asks for it. */
  open(): void {
    clearTimeout(this.timer);
    this.on.state({ at: "connecting" });
    const query = new URLSearchParams(this.terminal ? { terminal: this.terminal } : {});
    if (this.size) for (const [name, value] of Object.entries(this.size)) query.set(name, String(value));
    const socket = new WebSocket(query.size ? `${this.url}?${query}` : this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.pause = 250;
      this.on.fresh();
      this.on.state({ at: "open" });
      this.sendSize();
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.on.data(new Uint8Array(data));
    };
    socket.onclose = (closed) => {
      if (socket !== this.socket) return;
      this.socket = undefined;
      if (closed.code === refusedCode) this.on.state({ at: "refused", why: closed.reason, again: "connect" });
      else if (closed.code === normalCode) this.on.state({ at: "ended" });
      else if (opened) this.later(closed.code === agentLostCode);
      else void this.look();
    };
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  resize(cols: number, rows: number): void {
    this.size = { cols, rows };
    this.sendSize();
  }

  private sendSize(): void {
    if (this.size && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ resize: this.size }));
  }

  private later(workspace: boolean): void {
    this.on.state({ at: "lost", workspace });
    this.timer = setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(this.pause * 2, longestPause);
  }

  /** A WebSocket that never opened does not say why. The page itself does: whether it is there, and for whom. */
  private async look(): Promise<void> {
    try {
      const page = await fetch("/", { redirect: "manual", headers: { Accept: "application/problem+json" } });
      if (page.type === "opaqueredirect" || page.status === 401) {
        this.on.state({ at: "refused", why: "Your session here has ended.", again: "sign in" });
        return;
      }
      if (page.status === 403 || page.status === 404 || page.status === 410) {
        this.on.state({ at: "refused", why: await reason(page), again: "load" });
        return;
      }
      return this.later(page.ok);
    } catch {
      this.later(false); // nobody answers: the server may be restarting
    }
  }
}

async function reason(page: Response): Promise<string> {
  try {
    const problem = (await page.json()) as { detail?: string };
    if (problem.detail) return problem.detail;
  } catch {
    // a page for people: the status says enough
  }
  return page.status === 403 ? "You may not open this workspace any more." : "This workspace is not there any more.";
}
