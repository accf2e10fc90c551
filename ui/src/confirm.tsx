import { useEffect, useState } from "preact/hooks";
import { get, send, type Context, type Order, type Workspace } from "./api";
import { clock, shortURL, visible } from "./format";
import { Act, Fault } from "./parts";
import { startedHere } from "./start";

/** Names what a context URL would start, so that a link alone starts nothing. */
export function Confirm({ context, onFault }: { context: string; onFault: (fault: unknown) => void }) {
  const [found, setFound] = useState<Context>();
  const [fault, setFault] = useState<unknown>();
  const [size, setSize] = useState("");
  const [plain, setPlain] = useState(false);
  const failed = (f: unknown) => {
    setFault(f);
    onFault(f);
  };
  useEffect(() => {
    const stop = new AbortController();
    get<Context>("/context?url=" + encodeURIComponent(context), stop.signal)
      .then(setFound, (f: unknown) => stop.signal.aborted || failed(f));
    return () => stop.abort();
  }, [context]);

  const start = async () => {
    const order: Order = { context_url: context, confirmed: true };
    if (size) order.class = size;
    if (plain) order.file = "none";
    const made = await send<Workspace>("POST", "/workspaces", order);
    startedHere.add(made.id);
    location.replace("#/workspace/" + made.id);
  };
  const variables = Object.entries(found?.variables ?? {});
  return (
    <main class="card" data-testid="confirm-page">
      <h1>{fault && !found ? "This cannot be started" : "Start a workspace?"}</h1>
      <Fault fault={fault} />
      {found?.snapshot?.foreign && (
        <div class="notice bad" role="alert" data-testid="confirm-foreign">
          <p>
            This is a snapshot that {found.snapshot.own ? "you took of another person's files" : `${visible(found.snapshot.owner_name)} took`}
            {found.snapshot.uncommitted ? ", with changes that were never committed, so no review has seen them" : ""}. The workspace runs
            what is in it as you. Start it only if you expected it from them.
          </p>
        </div>
      )}
      {found ? (
        <dl class="facts">
          <dt>Repository</dt><dd data-testid="confirm-repository"><code>{shortURL(found.repository)}</code></dd>
          <dt>Ref</dt><dd data-testid="confirm-ref">
            {found.ref ? <code>{visible(found.ref)}</code> : "default branch"}{found.request ? ` (merge request ${found.request})` : ""}
          </dd>
          <dt>Project</dt><dd data-testid="confirm-project">{visible(found.project)}</dd>
          {found.snapshot && (
            <>
              <dt>Snapshot</dt>
              <dd class="breakable" data-testid="confirm-snapshot">
                <code>{found.snapshot.id}</code>, taken by {found.snapshot.own ? "you" : visible(found.snapshot.owner_name)}, {clock(found.snapshot.created)}
                {found.snapshot.uncommitted && "; with uncommitted changes"}
                {found.snapshot.origins?.map((o) => (
                  <div key={o.id} data-testid="confirm-origin">files in it come from <code>{o.id}</code>, taken by {visible(o.owner_name)}, {clock(o.created)}</div>
                ))}
                {found.snapshot.note && <div>{visible(found.snapshot.note)}</div>}
              </dd>
            </>
          )}
          <dt>Variables</dt>
          <dd class="breakable" data-testid="confirm-variables">
            {variables.length === 0 ? "none" : variables.map(([name, value]) => <div key={name}><code>{visible(name)}={visible(value)}</code></div>)}
          </dd>
          {found.classes && found.classes.length > 1 && (
            <>
              <dt>Class</dt>
              <dd>
                <select data-testid="confirm-class" value={size} onChange={(e) => setSize(e.currentTarget.value)}>
                  <option value="">what its file needs, else {visible(found.classes.find((c) => c.default)?.name ?? "the default")}</option>
                  {found.classes.map((c) => (
                    <option key={c.name} value={c.name}>{visible(c.title ? `${c.name}: ${c.title}` : c.name)}</option>
                  ))}
                </select>
              </dd>
            </>
          )}
          <dt>Its file</dt>
          <dd>
            <label>
              <input type="checkbox" data-testid="confirm-plain" checked={plain} onChange={(e) => setPlain(e.currentTarget.checked)} />
              {" "}leave out what .gitpod.yml or devcontainer.json says
            </label>
          </dd>
        </dl>
      ) : <p class="muted breakable"><code>{visible(context)}</code></p>}
      <div class="actions">
        <a class="button" href="#" data-testid="confirm-cancel">{found ? "Cancel" : "Back"}</a>
        {found && <Act label="Start workspace" kind="primary" run={start} onFault={failed} testid="confirm-start" />}
      </div>
    </main>
  );
}
