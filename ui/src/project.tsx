import { useState } from "preact/hooks";
import { get, Problem, send, type Page, type Prebuild, type Project, type Repository } from "./api";
import { ago, clock, lasting, shortURL, visible, visibleLines } from "./format";
import { useNow, useRepeat } from "./hooks";
import { Act, Fault, Section } from "./parts";

/** A project's repositories that have prebuilds, each with those that are made, kept or failed. */
export function ProjectPage({ name, onFault }: { name: string; onFault: (fault: unknown) => void }) {
  const [project, setProject] = useState<Project | null>(); // null: there is none
  const [prebuilds, setPrebuilds] = useState<Prebuild[]>([]);
  const [fault, setFault] = useState<unknown>();
  const [changes, setChanges] = useState(0);
  const failed = (f: unknown) => {
    setFault(f);
    onFault(f);
  };
  useRepeat(async (signal) => {
    try {
      const { items } = await get<Page<Project>>("/projects?limit=500", signal);
      setPrebuilds((await get<Page<Prebuild>>("/prebuilds?limit=200&project=" + encodeURIComponent(name), signal)).items);
      setProject(items.find((p) => p.name === name) ?? null);
      setFault((f: unknown) => (f instanceof Problem && f.status === 0 ? undefined : f)); // it is reached again
    } catch (fault) {
      if (!signal.aborted) failed(fault);
    }
  }, () => 4000, [name, changes]);
  const listed = project?.repositories.filter((r) => r.prebuilds || prebuilds.some((p) => p.repository === r.url)) ?? [];
  return (
    <main class="narrow" data-testid="project-page" data-project={name}>
      <a href="#" class="back">← All workspaces</a>
      <h1>{visible(name)}</h1>
      <Fault fault={fault} onDismiss={() => setFault(undefined)} />
      {project === null && <p class="muted">There is no project {visible(name)} that you may see.</p>}
      {project && listed.length === 0 && (
        <p class="muted" data-testid="no-prebuilds">No repository of this project has prebuilds. <code>prebuilds: true</code> below one in the project's file has them made.</p>
      )}
      {project?.warm && <Ahead pools={project.warm} />}
      {listed.map((r) => (
        <Of repository={r} list={prebuilds.filter((p) => p.repository === r.url)} key={r.url} onChange={() => setChanges((n) => n + 1)} onFault={failed} />
      ))}
    </main>
  );
}

/** The workspaces that are made ahead on the server's machine, for who administers it. */
function Ahead({ pools }: { pools: NonNullable<Project["warm"]> }) {
  const now = useNow(5000);
  return (
    <Section id="warm" title="Workspaces made ahead">
      <ul class="rows">
        {pools.map((p) => (
          <li key={p.class + " " + (p.image ?? "")} data-testid="warm-pool" data-class={p.class}>
            <div class="grow">
              <span class="name">{visible(p.class)}</span>{p.image && <> <code>{visible(p.image)}</code></>}
              {" "}<span class={"state " + (p.message ? "bad" : p.ready < p.wanted ? "busy" : "good")}>{p.ready} of {p.wanted} ready</span>
              {p.making > 0 && <span class="muted block small">{p.making} being made</span>}
              {p.message && <span class="block small" data-testid="warm-message">{visible(p.message)}{p.since && <> (<span title={clock(p.since)}>{ago(p.since, now)}</span>)</>}</span>}
            </div>
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** What there is of one repository, the newest first. */
function Of({ repository: r, list, onChange, onFault }: { repository: Repository; list: Prebuild[]; onChange: () => void; onFault: (fault: unknown) => void }) {
  const now = useNow(5000);
  const run = (p?: Prebuild) => async () => {
    await send("POST", "/prebuilds", { context_url: r.url + (p ? "/tree/" + branch(p) : "") });
    onChange();
  };
  return (
    <Section id={"prebuilds-of-" + r.url.replace(/[^a-zA-Z0-9]+/g, "-")} title={`Prebuilds of ${visible(r.name)}`}
      aside={r.can_prebuild && <Act label="Run now" run={run()} onFault={onFault} testid="run-prebuild" />}>
      <p class="muted breakable"><code>{shortURL(r.url)}</code></p>
      <ul class="rows">
        {list.length === 0 && <li class="muted">None yet: a push makes one{r.can_prebuild && ", or Run now, of the default branch"}.</li>}
        {list.map((p) => (
          <li key={p.id} data-testid="prebuild" data-prebuild={p.id} data-state={p.state}>
            <div class="grow">
              <span class="name">{visible(branch(p))}</span> <code title={p.commit}>{visible(p.commit.slice(0, 10))}</code>
              {" "}<span class={"state " + (kinds[p.state] ?? "")}>{visible(p.state)}</span>
              <span class="muted block small breakable">
                <span title={clock(p.created)}>{ago(p.created, now)}</span> · {visible(p.cause)}
                {p.started && <> · {p.ended ? "took" : "for"} {lasting((p.ended ? Date.parse(p.ended) : now) - Date.parse(p.started))}</>}
                {p.size && <> · {(p.size / (1 << 20)).toFixed(1)} MiB</>} · <span class="nowrap">{p.id}</span>
              </span>
              {p.message && <span class="block small multiline" data-testid="prebuild-message">{visibleLines(p.message)}</span>}
              {p.ended && <Log id={p.id} onFault={onFault} />}
            </div>
            {p.ended && p.can.includes("run") && r.can_prebuild && (
              <div class="actions"><Act label="Run again" kind="quiet" run={run(p)} onFault={onFault} testid="run-again" /></div>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

const kinds: Record<string, string> = { done: "good", failed: "bad", running: "busy", waiting: "busy" };

function branch(p: Prebuild): string {
  return p.ref.replace(/^refs\/heads\//, "");
}

/** What was said while one was made, read when somebody wants to see it. */
function Log({ id, onFault }: { id: string; onFault: (fault: unknown) => void }) {
  const [text, setText] = useState<string>();
  const open = (e: { currentTarget: HTMLDetailsElement }) => {
    if (e.currentTarget.open && text === undefined) get<Prebuild>("/prebuilds/" + id).then((p) => setText(p.log ?? ""), onFault);
  };
  return (
    <details onToggle={open}>
      <summary class="small" data-testid="prebuild-log">Log</summary>
      {text !== undefined && (
        <div class="lines" role="log" aria-label={"What was said while " + id + " was made"} tabIndex={0} data-testid="prebuild-lines">
          <div class="multiline">{visibleLines(text) || "Nothing was said."}</div>
        </div>
      )}
    </details>
  );
}
