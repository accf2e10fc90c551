// The HTTP API as the pages use it. The types are those of package api.

export interface Group { id: string; name: string; path: string[] }
export interface Holding { id: string; name: string; role: string; via?: string; path?: string[] }
export interface Session {
  id: string; kind: string; workspace?: string; client?: string; device?: string; agent?: string; ended?: string; current?: boolean;
}
export interface SignIn {
  id: string; at: string; expires: string; strength?: string; contexts?: string[]; ip?: string; device?: string; ended?: string; current?: boolean;
  sessions?: Session[];
}
export interface Me {
  user?: string; name?: string; user_name?: string; mail?: string;
  groups: Group[]; projects: Holding[]; roles: string[]; session?: string; sign_in?: SignIn;
}
export interface Repository { url: string; name: string; prebuilds?: boolean; can_prebuild?: boolean }
export interface Prebuild {
  id: string; project: string; repository: string; ref: string; commit: string; cause: string; state: string; message?: string; log?: string;
  size?: number; created: string; started?: string; ended?: string; expires?: string; can: string[];
}
export interface Project {
  id: string; name: string; role?: string; via?: string; can_start: boolean; repositories: Repository[]; apps: string[];
  app_sites: { name: string; url: string }[];
  warm?: { class: string; image?: string; wanted: number; ready: number; making: number; message?: string; since?: string }[];
}
export interface Workspace {
  id: string; owner: string; owner_name: string; project: string; repository: string; ref?: string; name: string;
  desired: string; phase: string; message?: string; created: string; changed: string; own: boolean; can: string[]; terminal?: string;
  class?: string; image?: string; prebuild?: string; used?: string; stops?: string; notice?: string; archived?: string; pinned?: boolean; goes?: string;
  queue?: { at: number; of: number }; unsaved?: { changed: number; unpushed: number; stashes: number }; failed_step?: string;
}
export interface Task { id: string; name: string; state: string; step?: string; exit: number; terminal?: string }
export interface Port { port: number; listening: boolean; loopback?: boolean; name?: string; on_open?: string; protocol?: string; description?: string }
export interface Activity { running: boolean; ready: boolean; tasks: Task[]; ports: Port[] }
export interface Class { name: string; title?: string; default?: boolean }
export interface Context {
  project: string; repository: string; ref?: string; request?: number; variables?: Record<string, string>; classes?: Class[];
  snapshot?: { id: string; own: boolean; owner_name: string; note?: string; created: string; uncommitted: boolean; foreign: boolean; origins?: { id: string; owner_name: string; created: string }[] };
}
export interface Order {
  context_url?: string; project?: string; repository?: string; ref?: string; class?: string; file?: string; confirmed?: boolean;
}
export interface Progress { at: string; phase: string; text: string }
export interface Lease {
  id: string; user?: string; user_name?: string; actor?: string; action: string; resource: string; project?: string;
  role?: string; via?: string; opened: string; until?: string; workspace?: string; session?: string;
  ended?: string; reason?: string; code?: string;
}
export interface Leases { open: Lease[]; ended: Lease[]; more?: number }
export interface Event {
  seq: number; time: string; action: string; outcome: string; user_name?: string; actor?: string; workspace?: string;
  project?: string; resource?: string; reasons?: string[];
}
export interface NewSignIn { id: string; at: string; ip?: string; device: string; new_place?: boolean; new_device?: boolean; may_confirm: boolean }
export interface Variable { name: string; value: string; secret: boolean; project?: string; repository?: string; by?: string; changed: string }
export interface Preferences { dotfiles: string }
export interface Snapshot {
  id: string; owner_name: string; own: boolean; foreign: boolean; workspace: string; project: string; repository: string; branch?: string; commit?: string;
  uncommitted: boolean; note?: string; size: number; created: string; expires: string; url: string; can: string[];
}
export interface Page<T> { items: T[]; next?: string }

/** An answer that is an error: the problem document's words. */
export class Problem extends Error {
  constructor(readonly status: number, message: string, readonly reasons: string[] = [], readonly stepUp?: string) {
    super(message);
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const document = (await answer.json()) as { detail?: string; title?: string; reasons?: string[]; sign_in?: string };
    return new Problem(answer.status, document.detail || document.title || answer.statusText, document.reasons ?? [], document.sign_in);
  } catch {
    return new Problem(answer.status, `The server answered ${answer.status} ${answer.statusText}.`);
  }
}

async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const request: RequestInit = { method, headers: { Accept: "application/json" }, redirect: "error" };
  if (signal) request.signal = signal;
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { ...request.headers, "Content-Type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch("/api/v1" + path, request);
  } catch (fault) {
    if (signal?.aborted) throw fault;
    throw new Problem(0, "Lanyard cannot be reached. It may be restarting.");
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

/** Reads one object. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask("GET", path, undefined, signal)).json() as Promise<T>;
}

/** Sends a change and reads the answer, if there is one. */
export async function send<T>(method: "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const answer = await ask(method, path, body);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Why a stream of events ended by the server's will. */
export interface Closed { reason: string; code: string }

/**
 * Follows server-sent events until the server ends them or signal aborts. Unlike EventSource it tells a refusal
 * (Problem) from a lost connection. It returns what the last event said when access was taken away, else undefined.
 */
export async function follow(path: string, on: (name: string, data: unknown) => void, signal: AbortSignal): Promise<Closed | undefined> {
  const answer = await ask("GET", path, undefined, signal);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return undefined;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      let name = "message";
      let data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data += line.slice(6);
      }
      if (!data) continue; // a heartbeat
      const parsed: unknown = JSON.parse(data);
      if (name === "closed") return parsed as Closed;
      on(name, parsed);
    }
  }
}
