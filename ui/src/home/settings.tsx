import { useState } from "preact/hooks";
import { get, send, type Page, type Preferences, type Snapshot, type Variable, type Workspace } from "../api";
import { ago, visible } from "../format";
import { useNow, useRepeat } from "../hooks";
import { Act, Section } from "../parts";

/** The person's own variables and dotfiles: what the workspaces get that start from now on. */
export function Settings({ onFault }: { onFault: (fault: unknown) => void }) {
  const [list, setList] = useState<Variable[]>([]);
  const [dotfiles, setDotfiles] = useState("");
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [secret, setSecret] = useState(false);
  const [changes, setChanges] = useState(0);
  useRepeat(async (signal) => {
    try {
      setList((await get<Page<Variable>>("/variables", signal)).items);
      if (changes === 0) setDotfiles((await get<Preferences>("/preferences", signal)).dotfiles);
    } catch (fault) {
      if (!signal.aborted) onFault(fault);
    }
  }, () => 60_000, [changes]);
  const changed = () => setChanges((n) => n + 1);
  const add = async () => {
    await send("POST", "/variables", { name: name.trim(), value, secret });
    setName("");
    setValue("");
    setSecret(false);
    changed();
  };
  const remove = (v: Variable) => async () => {
    await send("DELETE", "/variables?" + new URLSearchParams({ name: v.name, ...(v.repository && { repository: v.repository }) }).toString());
    changed();
  };
  return (
    <Section id="settings" title="Your workspaces get">
      <ul class="rows">
        {list.map((v) => (
          <li data-testid="variable" key={`${v.repository ?? ""} ${v.name}`}>
            <div class="grow">
              <code class="breakable">{visible(v.name)}</code>
              {v.secret ? <span class="badge">secret</span> : <span class="breakable">={visible(v.value)}</span>}
              <span class="muted block small breakable">{v.repository ? `on ${visible(v.repository)}` : "all of them"}</span>
            </div>
            <Act label="Remove" kind="quiet" testid="remove-variable" onFault={onFault} run={remove(v)} />
          </li>
        ))}
        {list.length === 0 && <li class="muted">No environment variables of your own.</li>}
      </ul>
      <div class="form">
        <label class="block small">Variable
          <input data-testid="variable-name" value={name} placeholder="NAME" autocomplete="off" spellcheck={false} onInput={(e) => setName(e.currentTarget.value)} />
        </label>
        <label class="block small">Value
          {secret
            ? <input data-testid="variable-value" type="password" value={value} autocomplete="off" onInput={(e) => setValue(e.currentTarget.value)} />
            : <input data-testid="variable-value" value={value} autocomplete="off" spellcheck={false} onInput={(e) => setValue(e.currentTarget.value)} />}
        </label>
        <label class="block small check">
          <input type="checkbox" data-testid="variable-secret" checked={secret} onChange={(e) => setSecret(e.currentTarget.checked)} /> secret: never shown again, and given only where a project allows it
        </label>
        <Act label="Set" testid="set-variable" onFault={onFault} run={add} />
      </div>
      <div class="form">
        <label class="block small">Repository of your dotfiles
          <input data-testid="dotfiles" value={dotfiles} placeholder="none" autocomplete="off" spellcheck={false} onInput={(e) => setDotfiles(e.currentTarget.value)} />
        </label>
        <Act label="Save" kind="quiet" testid="set-dotfiles" onFault={onFault} run={async () => { await send("POST", "/preferences", { dotfiles: dotfiles.trim() }); changed(); }} />
      </div>
    </Section>
  );
}

/** Kept checkouts, to start workspaces from. */
export function Snapshots({ onFault, onOpened }: { onFault: (fault: unknown) => void; onOpened: () => void }) {
  const now = useNow(30_000);
  const [list, setList] = useState<Snapshot[]>([]);
  const [changes, setChanges] = useState(0);
  useRepeat(async (signal) => {
    try {
      setList((await get<Page<Snapshot>>("/snapshots", signal)).items);
    } catch (fault) {
      if (!signal.aborted) onFault(fault);
    }
  }, () => 60_000, [changes]);
  if (list.length === 0) return null;
  return (
    <Section id="snapshots" title="Snapshots">
      <ul class="rows">
        {list.slice(0, 20).map((s) => (
          <li data-testid="snapshot" data-snapshot={s.id} key={s.id}>
            <div class="grow">
              <span class="breakable">{visible(s.repository)}</span>
              <span class="muted block small breakable">
                {visible(s.note) || s.id} · {ago(s.created, now)}{!s.own && <> by {visible(s.owner_name)}</>}{s.uncommitted && " · with what was not committed"}
              </span>
            </div>
            {s.can.includes("open") && s.foreign && <a class="button" href={"#snapshot/" + s.id} data-testid="look-at-snapshot">Open</a>}
            {s.can.includes("open") && !s.foreign && <Act label="Open" testid="open-snapshot" onFault={onFault}
              run={async () => { await send<Workspace>("POST", `/snapshots/${s.id}/open`, {}); onOpened(); }} />}
            {s.can.includes("delete") && <Act label="Delete" kind="quiet" testid="delete-snapshot" onFault={onFault}
              run={async () => { await send("DELETE", `/snapshots/${s.id}`); setChanges((n) => n + 1); }} />}
          </li>
        ))}
        {list.length > 20 && <li class="muted">and {list.length - 20} more: lanyard snapshot list</li>}
      </ul>
    </Section>
  );
}
