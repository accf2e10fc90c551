import { useEffect, useState } from "preact/hooks";
import { follow, Problem, type Activity } from "./api";
import { visible } from "./format";
import { Section } from "./parts";

/** What goes on in a workspace, followed while `live`. Without it the workspace is what it was: nobody is told of a fault. */
function useActivity(id: string, live: boolean): Activity | undefined {
  const [activity, setActivity] = useState<Activity>();
  useEffect(() => {
    if (!live) return setActivity(undefined);
    const stop = new AbortController();
    void (async () => {
      while (!stop.signal.aborted) {
        try {
          const closed = await follow(`/workspaces/${id}/activity/events`, (name, data) => {
            if (name === "activity") setActivity(data as Activity);
          }, stop.signal);
          if (closed && closed.code !== "shutdown") return;
        } catch (fault) {
          if (stop.signal.aborted || (fault instanceof Problem && fault.status !== 0 && fault.status !== 503)) return;
        }
        await new Promise((done) => setTimeout(done, 1000));
      }
    })();
    return () => stop.abort();
  }, [id, live]);
  return activity;
}

/** The kinds of ports of which people want to be told when one opens. */
const announced = ["notify", "openBrowser", "openPreview"];

const kinds: Record<string, string> = { done: "good", failed: "bad", running: "busy" };

/** The tasks and ports of a workspace that runs. */
export function WhatGoesOn({ id, live }: { id: string; live: boolean }) {
  const activity = useActivity(id, live);
  const ports = activity?.ports.filter((p) => p.listening || p.name) ?? [];
  if (!activity?.running || (!activity.tasks.length && !ports.length)) return null;
  return (
    <>
      {activity.tasks.length > 0 && (
        <Section id="tasks" title="Tasks">
          <ul class="rows">
            {activity.tasks.map((t) => (
              <li key={t.id} data-testid="task" data-task={t.id} data-state={t.state}>
                <div class="grow">
                  <span class="name">{visible(t.name)}</span> <span class={"state " + (kinds[t.state] ?? "")}>{visible(t.state)}</span>
                  {(t.state === "failed" || t.state === "stopped") && <span class="muted"> {visible(t.step)} ended with status {t.exit}</span>}
                  {t.state === "running" && t.step && <span class="muted"> {visible(t.step)}</span>}
                </div>
                {t.terminal && <div class="actions"><a class="button" href={t.terminal} target="_blank" rel="noopener" data-testid="open-task">Open terminal</a></div>}
              </li>
            ))}
          </ul>
        </Section>
      )}
      {ports.length > 0 && (
        <Section id="ports" title="Ports">
          <ul class="rows">
            {ports.map((p) => (
              <li key={p.port} data-testid="port" data-port={p.port} data-listening={p.listening}>
                <div class="grow">
                  <span class="name">{p.port}</span> <span class={"state " + (p.listening ? "good" : "")}>{p.listening ? "listening" : "not yet"}</span>
                  {p.name && <> {visible(p.name)}</>}{p.description && <span class="muted"> {visible(p.description)}</span>}
                </div>
              </li>
            ))}
          </ul>
          <p role="status" data-testid="ports-opened">
            {ports.filter((p) => p.listening && announced.includes(p.on_open ?? "")).map((p) => `Port ${p.port}${p.name ? ` (${visible(p.name)})` : ""} is open. `)}
          </p>
          <p class="muted small">On your own machine, <code>lanyard port-forward {id} PORT</code> brings one there.</p>
        </Section>
      )}
    </>
  );
}
