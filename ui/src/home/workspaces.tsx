import { useState } from "preact/hooks";
import { get, type Page, type Workspace } from "../api";
import { ago, shortURL, visible, visibleLines } from "../format";
import { useNow, useRepeat } from "../hooks";
import { Section } from "../parts";
import { useFollow } from "../progress";
import { moving, standing, State, WorkspaceActions } from "../workspace";

/** The workspaces, with what they are doing. */
export function Workspaces({ changes, onList, onFault }: {
  changes: number; onList: (list: Workspace[]) => void; onFault: (fault: unknown) => void;
}) {
  const [list, setList] = useState<Workspace[]>();
  const [asked, setAsked] = useState(0);
  useRepeat(async (signal) => {
    try {
      const { items } = await get<Page<Workspace>>("/workspaces?limit=200", signal);
      setList(items);
      onList(items);
    } catch (fault) {
      if (!signal.aborted) onFault(fault);
    }
  }, () => 4000, [changes, asked]);

  return (
    <Section id="workspaces" title="Workspaces">
      <ul class="rows">
        {list?.map((w) => <Row workspace={w} key={w.id} onChange={() => setAsked((n) => n + 1)} onFault={onFault} />)}
        {list?.length === 0 && <li class="muted" data-testid="no-workspaces">None yet. Start one from a repository above.</li>}
      </ul>
    </Section>
  );
}

function Row({ workspace: w, onChange, onFault }: { workspace: Workspace; onChange: () => void; onFault: (fault: unknown) => void }) {
  const now = useNow(5000);
  const { lines } = useFollow(w.id, moving(w), onChange, onFault, onChange);
  const last = moving(w) ? lines[lines.length - 1]?.text : undefined;
  const detail = w.message || last || standing(w);
  return (
    <li data-testid="workspace" data-workspace={w.id} data-phase={w.phase} class="workspace">
      <div class="grow">
        <a href={"#/workspace/" + w.id} class="name" data-testid="workspace-link">{visible(w.name)}</a> <State workspace={w} />
        <span class="muted block breakable">
          {shortURL(w.repository)}{w.ref && <> at {visible(w.ref)}</>}{!w.own && <> · {visible(w.owner_name)}</>} · {ago(w.created, now)}{w.class && <> · {visible(w.class)}</>} · <span class="nowrap">{w.id}</span>
        </span>
        {detail && <span class="block small multiline" data-testid="workspace-message">{visibleLines(detail)}</span>}
      </div>
      <div class="actions"><WorkspaceActions workspace={w} onChange={onChange} onFault={onFault} /></div>
    </li>
  );
}
