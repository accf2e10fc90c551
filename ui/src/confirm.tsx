import { useEffect, useState } from "preact/hooks";
import { get, send, type Context, type Workspace } from "./api";
import { shortURL, visible } from "./format";
import { Act, Fault } from "./parts";
import { startedHere } from "./start";

/** Names what a context URL would start, so that a link alone starts nothing. */
export function Confirm({ context, onFault }: { context: string; onFault: (fault: unknown) => void }) {
  const [found, setFound] = useState<Context>();
  const [fault, setFault] = useState<unknown>();
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
    const made = await send<Workspace>("POST", "/workspaces", { context_url: context });
    startedHere.add(made.id);
    location.replace("#/workspace/" + made.id);
  };
  return (
    <main class="card" data-testid="confirm-page">
      <h1>{fault && !found ? "This cannot be started" : "Start a workspace?"}</h1>
      <Fault fault={fault} />
      {found ? (
        <dl class="facts">
          <dt>Repository</dt><dd data-testid="confirm-repository"><code>{shortURL(found.repository)}</code></dd>
          <dt>Ref</dt><dd data-testid="confirm-ref">{found.ref ? <code>{visible(found.ref)}</code> : "default branch"}</dd>
          <dt>Project</dt><dd data-testid="confirm-project">{visible(found.project)}</dd>
          <dt>Variables</dt><dd data-testid="confirm-variables">none</dd>
        </dl>
      ) : <p class="muted breakable"><code>{visible(context)}</code></p>}
      <div class="actions">
        <a class="button" href="#" data-testid="confirm-cancel">{found ? "Cancel" : "Back"}</a>
        {found && <Act label="Start workspace" kind="primary" run={start} onFault={failed} testid="confirm-start" />}
      </div>
    </main>
  );
}
