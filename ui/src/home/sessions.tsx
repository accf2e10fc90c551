import { useState } from "preact/hooks";
import { get, send, type Me, type Page, type Session, type SignIn } from "../api";
import { ago, visible } from "../format";
import { useNow, useRepeat } from "../hooks";
import { Act, Section } from "../parts";

/** What a session is for: "Firefox on Linux", "lanyard on laptop (linux)", "workspace w-…". */
function where(s: Session, signIn: SignIn): string {
  if (s.agent) return `AI agent ${visible(s.agent)} in ${s.workspace}`;
  if (s.workspace) return "workspace " + s.workspace;
  if (s.client) return `${s.kind === "cli" ? "lanyard" : visible(s.client)}${s.device ? " on " + visible(s.device) : ""}`;
  return visible(signIn.device) || "a browser";
}

/** Where the person is signed in, with a way to end each but this one: that is signing out. */
export function Sessions({ me, onFault }: { me: Me; onFault: (fault: unknown) => void }) {
  const now = useNow(10_000);
  const [list, setList] = useState<SignIn[]>([]);
  const [changes, setChanges] = useState(0);
  useRepeat(async (signal) => {
    try {
      setList((await get<Page<SignIn>>("/sessions", signal)).items);
    } catch (fault) {
      if (!signal.aborted) onFault(fault);
    }
  }, () => 30_000, [me.user, changes]);
  const end = (id: string) => async () => {
    await send("POST", "/revoke", { kind: "session", id });
    setChanges((n) => n + 1);
  };
  const rows = list.filter((i) => !i.ended && Date.parse(i.expires) > now)
    .flatMap((i) => (i.sessions ?? []).filter((s) => !s.ended && s.kind !== "site").map((s) => ({ i, s })));
  return (
    <Section id="sessions" title="Signed in at">
      <ul class="rows">
        {rows.slice(0, 20).map(({ i, s }) => (
          <li data-testid="session" data-session={s.id} data-kind={s.kind} key={s.id}>
            <div class="grow">
              <span class="breakable">{where(s, i)}</span>{s.current && <span class="badge">this one</span>}
              <span class="muted block small">
                signed in {ago(i.at, now)}{i.ip && <> from <span class="breakable">{visible(i.ip)}</span></>}{i.strength && <> · strength {visible(i.strength)}</>}
              </span>
            </div>
            {!s.current && <Act label="End" kind="quiet" testid="end-session" onFault={onFault} run={end(s.id)} />}
          </li>
        ))}
        {rows.length > 20 && <li class="muted">and {rows.length - 20} more</li>}
      </ul>
    </Section>
  );
}
