// How values are shown.

// Controls, and the marks that turn the direction of text: a name with them could look like another.
const invisible = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A name as text that shows what is invisible in it. */
export function visible(text: string | undefined): string {
  return (text ?? "").replace(invisible, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

/** A text of several lines, for an element of the class multiline. */
export function visibleLines(text: string | undefined): string {
  return (text ?? "").split("\n").map(visible).join("\n");
}

/** "payments-engineers › payments-api-team": from the group that gives a right to the one the person is in. */
export function through(path: string[] | undefined, via?: string): string {
  const names = path?.length ? path : via ? [via] : [];
  return names.map(visible).join(" › ");
}

const units: [limit: number, size: number, unit: string][] = [
  [60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"],
];

/** A length of time in its largest unit: "12 s", "5 min". */
export function lasting(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [, size, unit] = units.find(([limit]) => seconds < limit)!;
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** "5 min ago", "just now". */
export function ago(time: string, now: number): string {
  const passed = now - Date.parse(time);
  return passed < 5000 ? "just now" : lasting(passed) + " ago";
}

const dayTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** The time of day where that is enough, else date and time. */
export function clock(time: string): string {
  const at = new Date(time);
  return at.toDateString() === new Date().toDateString() ? dayTime.format(at) : fullTime.format(at);
}

/** A repository's address without what is the same for all. */
export function shortURL(url: string): string {
  return visible(url.replace(/^https?:\/\//, ""));
}

/** A resource of a lease or an event without its kind, which the action says. */
export function shortResource(resource: string | undefined): string {
  return shortURL((resource ?? "").replace(/^(repo|app|registry|egress|workspace|project|user|installation) ?/, ""));
}

const verbs: Record<string, string> = {
  "repo:read": "Read repository", "repo:write": "Push to repository", "app:call": "Call app", "registry:read": "Get packages", "registry:publish": "Publish packages", "egress:connect": "Connect out",
  "workspace:open": "In workspace", "workspace:create": "New workspace", "workspace:start": "Start workspace",
  "workspace:stop": "Stop workspace", "workspace:delete": "Delete workspace", "workspace:list": "List workspaces",
  "lease:list": "List open accesses", "lease:revoke": "End access", "audit:read": "Read audit log",
  "agent:run": "Run AI agent", "agent:ask": "AI agent asks", "agent:ended": "AI agent ended", "token:mint": "Get token",
  "self:view": "View own rights", "self:signout": "Sign out", "project:view": "View projects",
  "decision:explain": "Ask why", signin: "Sign in", signout: "Sign out",
};

/** An action in words; one that has none stays as it is. */
export function verb(action: string): string {
  return verbs[action] ?? visible(action);
}
