import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, send, type Progress, type Workspace } from "./api";
import { visible } from "./format";
import { Act, Ask } from "./parts";

/** Whether a workspace is on its way to another state. */
export function moving(w: Workspace | undefined): boolean {
  return !!w && w.phase !== w.desired;
}

/** Whether a start ended without a running workspace; its message says why. */
export function failed(w: Workspace): boolean {
  return w.phase === "stopped" && w.desired === "stopped" && !!w.message;
}

/** What is to be known of a workspace: why it is as it is, that it stops soon, that it holds what is nowhere else. */
export function standing(w: Workspace): string | undefined {
  const held = w.unsaved && w.unsaved.changed + w.unsaved.unpushed + w.unsaved.stashes > 0;
  return w.message || w.notice || (held ? "Holds work that is not pushed." : undefined);
}

const words: Record<string, string> = {
  running: "Running", stopped: "Stopped", stopping: "Stopping", preparing: "Preparing", creating: "Creating",
  pending: "Waiting", building: "Building", initializing: "Getting the repository", interrupted: "Interrupted", unknown: "Unknown",
};

/** A workspace's state as a coloured word. */
export function State({ workspace: w }: { workspace: Workspace }) {
  const kind = failed(w) ? "bad" : w.phase === "running" ? "good" : w.phase === "stopped" ? "" : "busy";
  const word = failed(w) ? "Failed" : w.queue ? `Waiting: place ${w.queue.at} of ${w.queue.of}` : w.phase === "stopped" && w.archived ? "Archived" : w.desired === "deleted" ? "Deleting" : words[w.phase] ?? w.phase;
  return <span class={"state " + kind} data-testid="workspace-state" data-phase={w.phase}>{visible(word)}</span>;
}

/** What can be done with a workspace in its state. */
export function WorkspaceActions({ workspace: w, onChange, onFault, onDeleted }: {
  workspace: Workspace; onChange: () => void; onFault: (fault: unknown) => void; onDeleted?: () => void;
}) {
  const [asking, setAsking] = useState(false);
  const [lost, setLost] = useState(""); // what a deletion would lose
  const change = (verb: string) => async () => {
    await send("POST", `/workspaces/${w.id}/${verb}`);
    onChange();
  };
  const remove = async (force: boolean) => {
    setAsking(false);
    setLost("");
    try {
      await send("DELETE", `/workspaces/${w.id}${force ? "?force=true" : ""}`);
      (onDeleted ?? onChange)();
    } catch (fault) {
      if (!force && fault instanceof Problem && fault.status === 409) setLost(fault.message);
      else onFault(fault);
    }
  };
  const stops = w.desired === "running";
  return (
    <>
      {w.phase === "running" && w.terminal && (
        <a class="button primary" href={w.terminal} target="_blank" rel="noopener" data-testid="open-terminal">Open terminal</a>
      )}
      {stops && w.can.includes("stop") && <Act label="Stop" run={change("stop")} onFault={onFault} testid="stop" />}
      {!stops && w.can.includes("start") && w.desired !== "deleted" && <Act label="Resume" run={change("start")} onFault={onFault} testid="resume" />}
      {w.can.includes("delete") && w.desired !== "deleted" && <button type="button" class="quiet danger-text" onClick={() => setAsking(true)} data-testid="delete">Delete</button>}
      {asking && (
        <Ask title={`Delete ${visible(w.name)}?`} yes="Delete workspace" onYes={() => void remove(false)} onNo={() => setAsking(false)}>
          <p>Its files are removed. What was not pushed is shown before it goes.</p>
        </Ask>
      )}
      {lost && (
        <Ask title={`Lose what is in ${visible(w.name)}?`} yes="Delete all the same" onYes={() => void remove(true)} onNo={() => setLost("")}>
          <p data-testid="would-be-lost">{visible(lost)}</p>
        </Ask>
      )}
    </>
  );
}

/** The lines of a start. */
export function Lines({ lines, live, lost }: { lines: Progress[]; live: boolean; lost: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.scrollTo(0, box.current.scrollHeight), [lines]);
  if (!lines.length && !live) return null;
  const first = lines[0] ? Date.parse(lines[0].at) : 0;
  return (
    <div class={"lines" + (live ? " going-on" : "")} ref={box} role="log" aria-label="Progress of the start" tabIndex={0} data-testid="progress">
      {lines.map((line) => (
        <div data-testid="progress-line" data-phase={line.phase}>
          <span class="at">{((Date.parse(line.at) - first) / 1000).toFixed(2)} s</span> {visible(line.text)}
        </div>
      ))}
      {lost && <div class="muted">The connection was lost. Trying again…</div>}
    </div>
  );
}
